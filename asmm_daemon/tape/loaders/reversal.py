"""Files that run backwards in time, turned around on disk so that memory stays bounded."""

import tempfile
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pyarrow as pa

from asmm_daemon.tape.loaders.csv_table import INT, NAME, TEXT, Chunk


def forwards(source: Iterator[Chunk], time: str) -> Iterator[Chunk]:
    """The chunks as they come or, where the first one runs backwards by `time`, the last row first."""
    first = next(source, None)
    if first is None:
        return
    steps = np.diff(first.column(time))
    if not (steps.size and (steps <= 0).all() and (steps < 0).any()):
        yield from chain([first], source)
        return
    schema = first.table.schema
    plain = pa.schema([*[f.with_type(NAME) if f.type == TEXT else f for f in schema], pa.field("line", INT)])
    with tempfile.TemporaryFile() as spill:
        with pa.ipc.new_file(spill, plain) as writer:
            for chunk in chain([first], source):
                columns = [*chunk.table.columns, pa.array(chunk.lines)]
                writer.write_table(pa.table(columns, names=plain.names).cast(plain))
        batches = pa.ipc.open_file(spill)
        for n in range(batches.num_record_batches - 1, -1, -1):
            table = pa.Table.from_batches([batches.get_batch(n)])
            table = table.take(np.arange(table.num_rows - 1, -1, -1))
            lines = table["line"].to_numpy()
            yield Chunk(first.path, lines, table.drop_columns(["line"]).cast(schema))
