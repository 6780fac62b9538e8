"""Questions about arrived rows and raw rows, in SQL for both warehouses."""

import datetime

from landing.columns import EXCEPTIONS, ColumnPlan, RowSum, TablePlan
from landing.names import quote
from landing.warehouse.session import Session

_DROPPED_AT_ONCE = 200


def published(column: ColumnPlan, alias: str = "") -> str:
    """Expression for the raw value of an arrived row."""
    value = f"{alias}.{column.quoted}" if alias else column.quoted
    if column.type.published:
        return column.type.published.replace("{}", value)
    return f"cast({value} as {column.type.raw_type})" if column.type.arrives_as else value


def row_count(session: Session, table: TablePlan) -> int:
    """Number of rows in the raw table."""
    return int(session.value(f"select count(*) from {session.raw_table(table)}"))


def newest(session: Session, table: TablePlan) -> datetime.datetime | datetime.date | int | None:
    """The latest value of an incremental table's change column, among the raw rows."""
    assert table.change_column
    value: datetime.datetime | datetime.date | int | None = session.value(
        f"select max({table.change_column.quoted}) from {session.raw_table(table)}"
    )
    return value


def arrived(session: Session, table: TablePlan, checksum: str) -> RowSum:
    """Count and checksum of the arrived rows. ``checksum`` is the expression for one row's."""
    ((rows, total),) = session.rows(
        f"select count(*), coalesce(sum({checksum}), 0) from {session.arrival_table(table)}"
    )
    return RowSum(int(rows), int(total))


def arrived_exceptions(session: Session, table: TablePlan) -> int:
    """Number of arrived rows with a value that does not fit its type."""
    if not table.keeps_exceptions:
        return 0
    return int(session.value(f"select count({quote(EXCEPTIONS)}) from {session.arrival_table(table)}"))


def has_repeated_key(session: Session, table: TablePlan) -> bool:
    """Whether arrived rows share a key."""
    names = ", ".join(column.quoted for column in table.key)
    repeated = f"select 1 from {session.arrival_table(table)} group by {names} having count(*) > 1 limit 1"
    return bool(session.rows(repeated))


def has_empty_key(session: Session, table: TablePlan) -> bool:
    """Whether a key column is NULL somewhere because its value could not be held."""
    unsure = [column.quoted for column in table.key if column.may_be_unfit]
    if not unsure:
        return False
    empty = " or ".join(f"{name} is null" for name in unsure)
    return any(
        session.rows(f"select 1 from {relation} where {empty} limit 1")
        for relation in (session.raw_table(table), session.arrival_table(table))
    )


def analyze(session: Session, table: TablePlan) -> None:
    session.execute(f"analyze {session.raw_table(table)}")


def drop_arrivals(session: Session) -> None:
    """In transactions of ``_DROPPED_AT_ONCE`` tables: each takes locks, and a server has so many for all sessions."""
    found = session.rows(
        "select table_name from information_schema.tables where table_schema = %s and table_type = 'BASE TABLE'",
        (session.settings.arrival_schema,),
    )
    names = [f"{session.arrivals}.{quote(name)}" for (name,) in found]
    for start in range(0, len(names), _DROPPED_AT_ONCE):
        session.execute(f"drop table if exists {', '.join(names[start : start + _DROPPED_AT_ONCE])} cascade")
    session.execute(f"drop schema if exists {session.arrivals} cascade")
