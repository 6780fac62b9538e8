"""The totals a reader of the marts would miss first: gross and net sales by year, product line and country."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg2

from review.schemas import rows

FACT = "fct_order_lines"
BY = {
    "year": ("dim_dates", "order_date_key", "date_key", "calendar_year"),
    "product line": ("dim_products", "product_key", "product_key", "product_line"),
    "country": ("dim_locations", "customer_location_key", "location_key", "country"),
}
"""Dimension, the fact's key, the dimension's key, the dimension's label."""

Amounts = tuple[Decimal, Decimal]
"""Gross and net."""


@dataclasses.dataclass
class SalesTotal:
    """Sales by one label, before and after; a side that cannot be computed says why."""

    by: str
    before: dict[str, Amounts]
    after: dict[str, Amounts]
    problem: str = ""

    def all(self) -> tuple[Amounts, Amounts]:
        return _sum(self.before), _sum(self.after)


def compute(
    connection: Any, before: Callable[[str], str | None], after: Callable[[str], str | None]
) -> list[SalesTotal]:
    """``before`` and ``after`` give the relation of a model's name on their side, None if it is not there."""
    totals = []
    for by in BY:
        total = SalesTotal(by, {}, {})
        for side, relation in (("before", before), ("after", after)):
            try:
                setattr(total, side, _amounts(connection, by, relation))
            except LookupError as error:
                total.problem = f"cannot be computed {side}: {error.args[0]}"
        totals.append(total)
    return totals


def _amounts(connection: Any, by: str, relation: Callable[[str], str | None]) -> dict[str, Amounts]:
    dimension, fact_key, key, label = BY[by]
    names = {name: relation(name) for name in (FACT, dimension)}
    for name, found in names.items():
        if not found:
            raise LookupError(f"{name} is not there")
    statement = f"""
        select coalesce(d."{label}"::text, 'Unknown'), sum(f."gross_sales_amount"), sum(f."net_sales_amount")
        from {names[FACT]} as f left join {names[dimension]} as d on d."{key}" = f."{fact_key}"
        group by 1 order by 1"""
    try:
        return {name: (gross or Decimal(0), net or Decimal(0)) for name, gross, net in rows(connection, statement)}
    except psycopg2.errors.UndefinedColumn as error:
        raise LookupError(str(error).splitlines()[0]) from None


def _sum(amounts: dict[str, Amounts]) -> Amounts:
    return sum((gross for gross, _ in amounts.values()), Decimal(0)), sum(
        (net for _, net in amounts.values()), Decimal(0)
    )
