"""The input of reading a table, given by its landing, and the result."""

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from landing.columns import RowSum, TablePlan
from landing.drift import DriftVerdict
from landing.files import RowFile
from landing.mysql.changes import Changes
from landing.mysql.connection import MySqlSource
from landing.parts import Part
from landing.records import TableState
from landing.settings import Settings
from landing.warehouse import queries
from landing.warehouse.protocol import Warehouse


@dataclasses.dataclass(frozen=True)
class ReadContext:
    settings: Settings
    source: MySqlSource
    warehouse: Warehouse
    folder: Path
    """The folder for files of rows."""
    hand_over: Callable[[RowFile], None]
    """Takes a finished file. It is copied while the reader goes on."""
    changes: Changes
    states: Mapping[str, TableState]
    verdicts: Mapping[str, DriftVerdict]
    loaded_at: datetime.datetime
    clock_stands: bool
    """Whether the last landing is dated later than now."""

    def compared_state(self, table: TablePlan) -> TableState | None:
        """The state to compare the table's rows with; None to load all of them."""
        settings, verdict = self.settings, self.verdicts[table.name]
        changed = verdict.is_new or verdict.added or verdict.widened or verdict.breaking
        looked_for = settings.strict and table.keeps_exceptions  # values that do not fit their type
        if changed or looked_for or settings.full_compare:
            return None
        return self.states.get(table.name)

    def named_keys(self, table: TablePlan) -> set[int] | None:
        """The values of the first key column that the log names as changed. None: it does not tell."""
        state, changes = self.states.get(table.name), self.changes
        if not state or (state.log_position, state.select_hash) != (changes.since, self.select_hash(table)):
            return None
        keys = changes.of(table.source.name)
        return None if keys and not table.first_key else keys

    def select_hash(self, table: TablePlan) -> str:
        """Of the SELECT of its rows. It changes with columns, hashing and erased people."""
        return hashlib.sha256(self.source.select(table, self.warehouse.line_format).encode()).hexdigest()[:16]

    def is_old(self, state: TableState) -> bool:
        """Whether it is time to compare the whole table again."""
        return self.clock_stands or self.loaded_at - state.compared_at >= self.settings.full_every

    def raw_rows_are_there(self, table: TablePlan, state: TableState) -> bool:
        """Whether the raw table still has its number of rows, so nobody else put rows in or took some out."""
        return queries.row_count(self.warehouse.session, table) == state.row_count


@dataclasses.dataclass(frozen=True)
class TableRead:
    """A table read to its end."""

    part: Part
    """The loaded part of the table."""
    sent: RowSum | None
    """MySQL's count and checksum of all rows of the table. None if only some were read."""
    loaded: RowSum
    """The same for the rows handed over to be copied."""
    unchanged: bool
    """Whether the rows are those of last time, byte for byte. Then none was loaded."""
    state: TableState
    """The next landing compares with this, once this landing is published."""
