"""What reading a table needs to know of its landing, and what it tells it."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

from landing.columns import RowSum, TablePlan
from landing.drift import DriftVerdict
from landing.files import RowFile
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
    """For files of rows."""
    hand_over: Callable[[RowFile], None]
    """Takes a finished file, to be copied while the reader goes on."""
    states: Mapping[str, TableState]
    verdicts: Mapping[str, DriftVerdict]
    loaded_at: datetime.datetime
    clock_stands: bool
    """Whether the last landing is dated later than now."""

    def compared_state(self, table: TablePlan) -> TableState | None:
        """What the table's rows are compared with; None to load them whatever they are."""
        settings, verdict = self.settings, self.verdicts[table.name]
        changed = verdict.is_new or verdict.added or verdict.widened or verdict.breaking
        looked_for = settings.strict and table.keeps_exceptions  # values that cannot be held
        if changed or looked_for or settings.full_compare:
            return None
        return self.states.get(table.name)

    def is_old(self, state: TableState) -> bool:
        """Whether it is time to compare the whole table again."""
        return self.clock_stands or self.loaded_at - state.compared_at >= self.settings.full_every

    def raw_rows_are_there(self, table: TablePlan, state: TableState) -> bool:
        """Whether nobody took rows out of the raw table, or put some in, behind the landing's back."""
        return queries.row_count(self.warehouse.session, table) == state.row_count


@dataclasses.dataclass(frozen=True)
class TableRead:
    """A table that was read to its end."""

    part: Part
    """Of the table, that was loaded."""
    sent: RowSum
    """What MySQL counted of the rows that it sent."""
    loaded: RowSum
    """The same of those that were handed over to be copied."""
    unchanged: bool
    """Whether they are the rows of last time, byte for byte: then none was loaded."""
    state: TableState
    """What the next landing compares with, once this one is published."""
