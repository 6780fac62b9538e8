"""Files of rows, between the reader that finishes them and whoever copies them into the arrival schema."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from landing.columns import TablePlan


@dataclasses.dataclass(frozen=True)
class RowFile:
    """A CSV file with a header of ``table.arrival_columns``; empty fields without quotation marks are NULL."""

    table: TablePlan
    path: Path
    rows: int


@dataclasses.dataclass(frozen=True)
class CopyResult:
    """What became of a batch of files; those that were copied are removed."""

    files: Sequence[RowFile]
    load_id: str
    refused: dict[str, str]
    """Why the warehouse refused a table's files, by ``arrival_name``."""


class CopyUnavailable(Exception):
    """Files could not be copied, whatever is in them. What was published before is untouched."""
