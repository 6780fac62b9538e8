"""An incremental table's new rows, by its change column. From time to time all rows are read."""

import datetime

from landing.columns import ColumnPlan, TablePlan
from landing.parts import NewerRows, WholeTable
from landing.reading.context import ReadContext, TableRead
from landing.reading.whole import read_part
from landing.records import TableState
from landing.warehouse import queries


def read(context: ReadContext, table: TablePlan, column: ColumnPlan) -> TableRead | None:
    """Read rows without a value, or not older than the newest raw row less the look-back. None as ``whole.read``."""
    state = context.compared_state(table)
    condition = _newer_rows(context, table, column, state) if state else None
    if condition is None:
        return read_part(context, table, WholeTable(), state)
    return read_part(context, table, NewerRows(), None, condition)


def _newer_rows(context: ReadContext, table: TablePlan, column: ColumnPlan, state: TableState) -> str | None:
    """Condition for MySQL; None to read all rows."""
    if context.is_old(state):
        return None
    newest = queries.newest(context.warehouse.session, table)
    if newest is None:
        return None
    if isinstance(newest, datetime.datetime):
        newest = newest.replace(tzinfo=None)
    if not context.source.reaches(table, column, str(newest)):
        return None  # the source went back, such as to a replica that was behind
    if isinstance(newest, datetime.date):
        try:
            newest = newest - context.settings.look_back
        except OverflowError:  # before the year 1
            return None
    return context.source.not_before(column, str(newest))
