"""MySQL's catalog: tables, views, columns, keys."""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

from landing.columns import SourceColumn, SourceTable

HOLDS_ROWS = "table_schema = database() AND coalesce(table_type, '') NOT IN ('SYSTEM VIEW', 'SEQUENCE')"
Query = Callable[[str], tuple[tuple[Any, ...], ...]]


def tables(query: Query, held: Collection[str] | None = None) -> list[SourceTable]:
    """All held tables and views, the largest first. Others were made after the snapshot. None: all there are."""
    rows = query(
        "SELECT t.table_name, coalesce(t.table_rows, 0), coalesce(e.transactions = 'YES', t.table_type = 'VIEW'),"
        " coalesce(t.table_type = 'VIEW', 0), coalesce(t.engine = 'InnoDB', 0)"
        " FROM information_schema.tables t"
        " LEFT JOIN information_schema.engines e ON e.engine = t.engine"
        f" WHERE {HOLDS_ROWS}"
    )
    columns, clustered = _columns(query)
    for name, _, _, is_view, _ in rows:
        if is_view:  # a view's word about NULL cannot be relied on
            columns[name] = [dataclasses.replace(column, nullable=True) for column in columns.get(name, ())]
    found = [
        SourceTable(
            name,
            tuple(columns.get(name, ())),
            int(estimate),
            bool(transactional),
            bool(is_view),
            bool(transactional) and name in clustered,
            bool(is_logged),
        )
        for name, estimate, transactional, is_view, is_logged in rows
        if held is None or name in held
    ]
    return sorted(found, key=lambda table: (-table.estimated_rows, table.name))


def _columns(query: Query) -> tuple[dict[str, list[SourceColumn]], set[str]]:
    """The columns of each table, and the tables with a primary key."""
    keys: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for table, index, column, nullable, part in query(
        "SELECT table_name, index_name, column_name, nullable, sub_part FROM information_schema.statistics"
        " WHERE table_schema = database() AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index"
    ):
        keys.setdefault((table, index), []).append((column, nullable == "YES" or part is not None))
    key_of: dict[str, list[str]] = {}
    for (table, _index), parts in sorted(keys.items(), key=lambda item: (item[0][1] != "PRIMARY", item[0])):
        if not any(unusable for _, unusable in parts) and all(column for column, _ in parts):
            key_of.setdefault(table, [column for column, _ in parts])
    columns: dict[str, list[SourceColumn]] = {}
    for table, name, data_type, column_type, charset, nullable in query(
        "SELECT table_name, column_name, lower(data_type), column_type, character_set_name, is_nullable = 'YES'"
        " FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position"
    ):
        key = key_of.get(table, [])
        position = key.index(name) + 1 if name in key else 0
        columns.setdefault(table, []).append(
            SourceColumn(name, data_type, column_type, charset, bool(nullable), position)
        )
    return columns, {table for table, index in keys if index == "PRIMARY"}
