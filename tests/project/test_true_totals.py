"""The marts against totals of the real data that were computed elsewhere, to the cent."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.project.conftest import Star

TRUTH = Path(__file__).resolve().parents[3] / "shared" / "classicmodels"

MEASURES = """
    sum(f.gross_sales_amount) as sales,
    sum(f.net_sales_amount) as sales_excl_cancelled,
    sum(case when f.order_status in ('Shipped', 'Resolved') then f.gross_sales_amount else 0 end)
        as sales_shipped_or_resolved,
    sum(f.quantity_ordered) as quantity,
    count(*) as order_lines,
    count(distinct f.order_number) as orders,
    count(distinct c.customer_number) as customers,
    count(distinct p.product_code) as products,
    round(avg(f.unit_price), 4) as avg_price_simple,
    round(sum(f.gross_sales_amount) / sum(f.quantity_ordered), 4) as avg_price_weighted,
    max(f.quantity_ordered) as max_quantity,
    sum(f.cost_amount) as cost,
    sum(f.margin_amount) as margin,
    round(sum(f.margin_amount) / sum(f.gross_sales_amount), 6) as margin_rate,
    sum(f.discount_amount) as discount_from_msrp
    from marts.fct_order_lines f
    left join marts.dim_customers c on c.customer_key = f.customer_key
    left join marts.dim_products p on p.product_key = f.product_key
    left join marts.dim_locations l on l.location_key = f.customer_location_key
"""

QUERIES = {
    "00_row_counts": """
        select 'customers', count(*) from marts.dim_customers where is_current
        union all select 'employees', count(*) from marts.dim_employees where is_current
        union all select 'offices', count(*) from marts.dim_offices where is_current
        union all select 'orderdetails', count(*) from marts.fct_order_lines
        union all select 'orders', count(*) from marts.fct_orders
        union all select 'payments', count(*) from marts.fct_payments
        union all select 'productlines', count(distinct product_line) from marts.dim_products
            where product_code is not null
        union all select 'products', count(*) from marts.dim_products where is_current""",
    "01_totals": f"select {MEASURES}",
    "02_sales_by_product_line": f"select p.product_line, {MEASURES} group by 1",
    "03_sales_by_country": f"select l.country, {MEASURES} group by 1",
    "17_order_status_counts": """
        select o.order_status, count(*), sum(case when o.shipped_date_key = 99991231 then 1 else 0 end),
            (select count(*) from raw_classicmodels.orders r where r.status = o.order_status and r.comments is not null)
        from marts.fct_orders o group by 1""",
    "19_days_to_ship": """
        select count(days_to_ship), round(avg(days_to_ship), 6), min(days_to_ship), max(days_to_ship),
            (select round(avg(required_date - order_date), 6) from raw_classicmodels.orders where shipped_date is not null)
        from marts.fct_orders""",
    "27_balance_outstanding": """
        select c.customer_number, c.customer_name, l.country, b.credit_limit,
            (select sum(f.gross_sales_amount) from marts.fct_order_lines f
             join marts.dim_customers d on d.customer_key = f.customer_key
             where d.customer_number = c.customer_number),
            b.ordered_amount,
            (select sum(f.gross_sales_amount) from marts.fct_order_lines f
             join marts.dim_customers d on d.customer_key = f.customer_key
             where d.customer_number = c.customer_number and f.order_status in ('Shipped', 'Resolved')),
            b.paid_amount, b.outstanding_amount, b.outstanding_amount - b.credit_limit,
            case when b.is_over_limit then 1 else 0 end
        from marts.fct_customer_balances b
        join marts.dim_customers c on c.customer_key = b.customer_key
        left join marts.dim_locations l on l.location_key = c.location_key
        where b.month_end_date_key = (select max(month_end_date_key) from marts.fct_customer_balances)
            and b.outstanding_amount > 0""",
}


def normal(value: Any) -> str:
    """A number without the way it is written; anything else as its text."""
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except ArithmeticError:
        return str(value)


@pytest.mark.parametrize("name", QUERIES)
def test_marts_equal_the_truth(star: Star, name: str) -> None:
    with (TRUTH / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        _, *expected = csv.reader(file)
    found = star.query(QUERIES[name])
    assert sorted([normal(value) for value in row] for row in found) == sorted(
        [normal(value) for value in row] for row in expected
    )
