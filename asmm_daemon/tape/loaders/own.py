"""Our own Parquet, `asmm-tape/1`, as a recording among others."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.common import Part, is_parquet, open_parquet, size_of
from asmm_daemon.tape.parquet import KEY, read_batches, read_meta


class Own:
    """Reader of `asmm-tape/1`."""

    def knows(self, path: Path) -> bool:
        """Whether the file carries our key."""
        return is_parquet(path) and KEY in (open_parquet(path).schema_arrow.metadata or {})

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part a file."""
        metas = [(path, read_meta(path)) for path in files]
        return [Part(self, meta.info, meta.start_ns, (path,)) for path, meta in metas]

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """The grid that the files carry, which must be one and the same. Raises TapeError."""
        for part in parts[1:]:
            if part.info != parts[0].info:
                raise TapeError(f"{part.files[0]}: row 1: another market or grid than {parts[0].files[0]}")
        return parts[0].info

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Chunks of whole messages, a row group or less each."""
        del info
        for part in parts:
            quality.carry(read_meta(part.files[0]).quality)
            for rows in read_batches(part.files[0]):
                quality.messages += int(rows["last"].sum())
                yield rows
            quality.bytes += size_of(part)


READER = Own()
