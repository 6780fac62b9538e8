"""What is in the columns of the marts, and the figures of the last month, as the warehouse knows them.

Source   pg_stats, which ANALYZE fills from a sample of each table: a profile costs the same at any number of rows.
"""

import dataclasses
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from catalog.connection import connect


@dataclasses.dataclass
class Profile:
    empty: float
    """The share of rows without a value."""
    distinct: int
    often: list[tuple[str, float]]
    """The most frequent values, each with its share of the rows."""
    sample: list[str]
    """Values from the lowest to the highest, of those that are not frequent."""


def profiles(schema: str) -> dict[str, Profile]:
    """By ``table.column``; none for a table that was never analyzed, or has no row."""
    found = _query(
        """
        select tablename || '.' || attname, null_frac,
            case when n_distinct < 0 then -n_distinct * reltuples else n_distinct end,
            coalesce(cast(cast(most_common_vals as text) as text[]), '{{}}'), coalesce(most_common_freqs, '{{}}'),
            coalesce(cast(cast(histogram_bounds as text) as text[]), '{{}}')
        from pg_stats
        inner join pg_class on pg_class.oid = to_regclass(quote_ident(schemaname) || '.' || quote_ident(tablename))
        where schemaname = {schema}
        """,
        schema=sql.Literal(schema),
    )
    return {
        name: Profile(
            empty, round(distinct), list(zip(values[:5], shares, strict=False)), bounds[:: len(bounds) // 4 or 1]
        )
        for name, empty, distinct, values, shares, bounds in found
    }


def figures(schema: str) -> list[dict[str, Any]]:
    """The last month with sales of ``metrics_by_month``, and that month a year before; none without the mart."""
    table = sql.Identifier(schema, "metrics_by_month")
    columns = ("year_month", "net_sales_amount", "kept_order_count", "net_margin_amount", "outstanding_amount")
    if _query("select to_regclass({name})", name=sql.Literal(f'"{schema}"."metrics_by_month"')) == [(None,)]:
        return []
    rows = _query(
        "select {columns}, days_sales_outstanding from {table} where year_month <= (select year_month from {table}"
        " where is_last_month_with_sales) order by year_month desc limit 13",
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=table,
    )
    months = [dict(zip((*columns, "days_sales_outstanding"), row, strict=True)) for row in rows]
    return [row for row in months if row["year_month"][5:] == months[0]["year_month"][5:]]


def _query(statement: str, **parts: sql.Composable) -> list[tuple[Any, ...]]:
    connection = connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(**parts))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows
    finally:
        connection.close()


def words(profile: Profile, personal: bool) -> list[tuple[str, str]]:
    """A profile as a page says it. Values of personal data stay in the warehouse."""
    said = [("empty", _percent(profile.empty)), ("distinct", f"about {profile.distinct:,}")]
    if personal:
        return [*said, ("values", "personal data: not shown")]
    often = ", ".join(f"{value[:40]} ({_percent(share)})" for value, share in profile.often)
    sample = ", ".join(value[:40] for value in profile.sample)
    return [*said, *([("most often", often)] if often else []), *([("sample", sample)] if sample else [])]


def _percent(share: float) -> str:
    return f"{Decimal(share * 100).quantize(Decimal(1 if share >= 0.1 or not share else '0.1'))}%"
