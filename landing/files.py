"""Files of rows. The reader finishes them; the caller copies them into the arrival schema."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from landing.columns import TablePlan


@dataclasses.dataclass(frozen=True)
class RowFile:
    """A CSV file with a header of ``table.arrival_columns``. An empty field without quotation marks is NULL."""

    table: TablePlan
    path: Path
    rows: int


@dataclasses.dataclass(frozen=True)
class CopyResult:
    """The result of copying a batch of files. Copied files are removed."""

    files: Sequence[RowFile]
    load_id: str
    refused: dict[str, str]
    """Reasons of the warehouse for refusing a table's files, by ``arrival_name``."""


class CopyUnavailable(Exception):
    """Files could not be copied; their content is not the cause. Rows published before are untouched."""
