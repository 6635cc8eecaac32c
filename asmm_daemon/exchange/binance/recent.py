"""A mapping that forgets its oldest entries."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

KEEP = 20_000


class Recent(dict[K, V]):
    """A dict of at most `KEEP` entries: the exchange forgets ended orders at the same number."""

    __slots__ = ()

    def __setitem__(self, key: K, value: V) -> None:
        """Adds an entry; the oldest goes when there are too many."""
        super().__setitem__(key, value)
        if len(self) > KEEP:
            del self[next(iter(self))]
