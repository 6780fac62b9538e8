"""Rows into files, for all ways of reading."""

import re
import uuid
from pathlib import Path
from typing import BinaryIO

from landing.columns import TablePlan
from landing.files import RowFile
from landing.reading.context import ReadContext
from landing.steps import reached

_WRITTEN_AT_ONCE = 1 << 18
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


class FileWriter:
    """Writes a table's files, one after the other. Holds finished files until they are handed over."""

    def __init__(self, context: ReadContext, table: TablePlan):
        self._context, self._table = context, table
        self._held: list[RowFile] = []
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._has_arrivals = False
        self.rows = 0
        """Rows of the unfinished file."""

    def write(self, lines: bytes, rows: int) -> None:
        if self._file is None:
            self._path = self._context.folder / f"{uuid.uuid4().hex}.csv"
            self._file = self._path.open("wb", _WRITTEN_AT_ONCE)
            self._file.write((",".join(self._table.arrival_columns) + "\n").encode())
        self.rows += rows
        self._file.write(lines)
        reached("rows written", self._path)

    def finish(self) -> None:
        """End the file, if there is one."""
        if self._file and self._path:
            self._file.close()
            self._held.append(RowFile(self._table, self._path, self.rows))
            reached("file finished", self._path)
        self._file, self._path, self.rows = None, None, 0

    def hand_over(self) -> None:
        """Hand over all finished files, to be copied."""
        self.create_arrivals()
        for file in self._held:
            self._context.hand_over(file)
        self._held.clear()

    def create_arrivals(self) -> None:
        if not self._has_arrivals:
            self._context.warehouse.create_arrivals(self._table, self._context.verdicts[self._table.name])
            self._has_arrivals = True
            reached("arrivals created", self._table.arrival_name)

    def discard(self) -> None:
        """Remove all files not handed over."""
        self.finish()
        for file in self._held:
            file.path.unlink()
        self._held.clear()


def joined(rows: list[bytes]) -> bytes:
    """Lines, each with its end."""
    rows.append(b"")
    lines = b"\n".join(rows)
    rows.pop()
    return lines


def fits(lines: bytes) -> bool:
    """False if a line has a NUL or a lone surrogate, because no PostgreSQL text can hold them."""
    return b"\0" not in lines and not (b"\xed" in lines and _SURROGATE.search(lines))
