"""Reading Parquet in batches. pyarrow is imported on first use only.

Values become JSON values; a row is its number from 1. Must not give meaning to columns, and must not import pandas.
"""

from collections.abc import Iterator
from typing import Any

from annot.errors import BadInput
from annot.formats.registries import reader
from annot.formats.rows import Problem, Record, Table
from annot.formats.source import Source
from annot.formats.values import listed, plain

BATCH_ROWS = 4096
BATCH_BYTES = 4_000_000


class _Unreadable:
    """A cell that cannot be turned into a value, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


@reader("parquet", ".parquet")
def read_parquet(source: Source) -> Table:
    """Open a Parquet file; a compressed one is unpacked to a temporary file first."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as fault:
        raise BadInput("Parquet files need pyarrow: pip install pyarrow") from fault
    path = source.local()
    try:
        file = pq.ParquetFile(path, buffer_size=2**16, pre_buffer=False)
        columns = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError) as fault:
        raise BadInput(f"{source.name} is not a Parquet file, or is damaged. Write it again.") from fault
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise BadInput(f"{source.name} has more than one column named {listed(twice)}. Rename them.")
    return Table(columns, _records(source, file, columns))


def _records(source: Source, file: Any, columns: list[str]) -> Iterator[Record | Problem]:
    import pyarrow as pa

    total = file.metadata.num_rows
    size = source.path.stat().st_size
    held = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    at_once = max(1, min(BATCH_ROWS, BATCH_BYTES * total // max(held, 1)))
    number = 0
    with file:
        try:
            for batch in file.iter_batches(batch_size=at_once, use_threads=False):
                for values in zip(*(_values(column) for column in batch.columns), strict=True):
                    number += 1
                    yield _record(number, dict(zip(columns, values, strict=True)))
                source.line = number
                if source.on_bytes:
                    source.on_bytes(size * number // max(total, 1))
        except (pa.ArrowException, OSError) as fault:
            raise BadInput(f"{source.name} is damaged after row {number}. Write it again.") from fault


def _record(number: int, values: dict[str, Any]) -> Record | Problem:
    for column, value in values.items():
        if type(value) is _Unreadable:
            return Problem(number, f"The value of {column!r} cannot be read: {value.reason}.")
    return number, values


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if (pa.types.is_timestamp(kind) or pa.types.is_duration(kind)) and kind.unit == "ns":  # would come as pandas objects
        column = column.cast(pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else pa.duration("us"), safe=False)
    try:
        values = list(column.to_pylist())
    except (ValueError, OverflowError):
        values = [_value(cell) for cell in column]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values
    return [value if type(value) is _Unreadable else plain(value) for value in values]


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError as fault:
        return _Unreadable(f"byte {fault.start + 1} of it is 0x{fault.object[fault.start]:02x}, which is not UTF-8 here")
    except (ValueError, OverflowError) as fault:
        return _Unreadable(str(fault))
