"""A numpy generator's state as plain bytes and back, for checkpoints."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORDS = (("state", 16), ("inc", 16))
_HALF = (("has_uint32", 4), ("uinteger", 4))


def rng_state(rng: np.random.Generator) -> NDArray[np.uint8]:
    """All that the generator's future depends on. Of a PCG64, which `default_rng` gives."""
    held = rng.bit_generator.state
    parts = [int(held["state"][name]).to_bytes(size, "little") for name, size in _WORDS]
    parts += [int(held[name]).to_bytes(size, "little") for name, size in _HALF]
    return np.frombuffer(b"".join(parts), np.uint8)


def restore_rng(rng: np.random.Generator, state: NDArray[np.generic]) -> None:
    """The reverse of `rng_state`."""
    raw = state.tobytes()
    numbers = {}
    for name, size in (*_WORDS, *_HALF):
        numbers[name], raw = int.from_bytes(raw[:size], "little"), raw[size:]
    words = {name: numbers.pop(name) for name, _ in _WORDS}
    held: dict[str, Any] = dict(rng.bit_generator.state)
    rng.bit_generator.state = held | {"state": words} | numbers
