"""The figures of finance and sales a second time: worked out in Python from the dump, and equal to the marts to the cent.

Nothing of the SQL is used here: payments are laid on orders from the oldest on, where the mart counts from the newest back.
"""

import datetime
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import PROJECT
from tests.project.conftest import Star

Row = dict[str, Any]

TEXT = r"'(?:[^'\\]|\\.|'')*'"
EARLIER = "then"
"""Prefix of a build that takes the landing for one of 31 May 2005."""
MAY_31 = datetime.date(2005, 5, 31)


def rows(dump: Path, table: str) -> list[Row]:
    """The rows of a table of the dump; decimals exact, dates as dates, no blanks around text."""
    text = dump.read_text(encoding="utf-8")
    head = re.search(rf"insert\s+into `{table}`\((.*?)\) values\s*", text)
    assert head
    names, position, found = re.findall(r"`(\w+)`", head[1]), head.end(), []
    row = re.compile(rf"\s*\(((?:{TEXT}|[^'()])*)\)\s*[,;]")
    while match := row.match(text, position):
        values = re.findall(rf"{TEXT}|[^,]+", match[1])
        found.append(dict(zip(names, map(value, values), strict=True)))
        position = match.end()
    return found


def value(written: str) -> Any:
    if written == "NULL":
        return None
    bare = re.sub(r"\\(.)|''", lambda escaped: escaped[1] or "'", written[1:-1]).strip() if written[0] == "'" else ""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", bare):
        return datetime.date.fromisoformat(bare)
    if re.fullmatch(r"-?\d+\.\d+", bare or written):
        return Decimal(bare or written)
    return bare if written[0] == "'" else int(written)


class Shop(NamedTuple):
    lines: list[Row]
    """Order lines with everything that is known of their order, customer, rep, office and product."""
    orders: dict[int, Row]
    payments: list[Row]
    customers: dict[int, Row]


@pytest.fixture(scope="module")
def shop(dump: Path) -> Shop:
    def by(table: str, key: str) -> dict[Any, Row]:
        return {row[key]: row for row in rows(dump, table)}

    customers, products, orders = (
        by("customers", "customerNumber"),
        by("products", "productCode"),
        by("orders", "orderNumber"),
    )
    employees, offices = by("employees", "employeeNumber"), by("offices", "officeCode")
    lines = []
    for line in rows(dump, "orderdetails"):
        order, product = orders[line["orderNumber"]], products[line["productCode"]]
        customer = customers[order["customerNumber"]]
        rep = employees.get(customer["salesRepEmployeeNumber"], {"employeeNumber": -1, "officeCode": None})
        office = offices.get(rep["officeCode"], {"officeCode": "Unknown", "territory": "Unknown"})
        amount, cost = (line["quantityOrdered"] * price for price in (Decimal(line["priceEach"]), product["buyPrice"]))
        order["amount"] = order.get("amount", Decimal(0)) + amount
        lines.append(
            {**customer, **order, **line, **product, **rep, **office}
            | {"amount": amount, "cost": cost, "country": customer["country"]}
        )
    return Shop(lines, orders, rows(dump, "payments"), customers)


def kept(row: Row) -> bool:
    return bool(row["status"] != "Cancelled")


def rounded(number: Decimal, digits: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def month_end(day: datetime.date) -> datetime.date:
    return (day.replace(day=28) + datetime.timedelta(4)).replace(day=1) - datetime.timedelta(1)


def month_ends(shop: Shop, today: datetime.date) -> Iterator[datetime.date]:
    """From the first to the last month with an order or a payment, or to the landing's if that is earlier."""
    days = [order["orderDate"] for order in shop.orders.values()] + [
        payment["paymentDate"] for payment in shop.payments
    ]
    day = month_end(min(days))
    while day <= month_end(min(max(days), today)):
        yield day
        day = month_end(day + datetime.timedelta(1))


METRICS: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "month": ("year_month", lambda line: f"{line['orderDate']:%Y-%m}"),
    "country": ("customer_country", lambda line: line["country"]),
    "product_line": ("product_line", lambda line: line["productLine"]),
    "product": ("product_code", lambda line: line["productCode"]),
    "sales_rep": ("sales_rep_employee_number", lambda line: line["employeeNumber"]),
    "office": ("office_code", lambda line: line["officeCode"]),
    "territory": ("office_territory", lambda line: line["territory"]),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_those_of_the_dump(star: Star, shop: Shop, name: str) -> None:
    column, attribute = METRICS[name]
    groups = defaultdict(list)
    for line in shop.lines:
        groups[attribute(line)].append(line)
    expected = []
    for key, lines in groups.items():
        net = [line for line in lines if kept(line)]
        orders = {line["orderNumber"]: shop.orders[line["orderNumber"]] for line in lines}.values()
        shipped = [order for order in orders if order["shippedDate"]]
        days = sum((order["shippedDate"] - order["orderDate"]).days for order in shipped)
        gross, quantity = sum(line["amount"] for line in lines), sum(line["quantityOrdered"] for line in lines)
        net_sales, net_cost = (sum((line[what] for line in net), Decimal(0)) for what in ("amount", "cost"))
        expected.append(
            (
                *(key, gross, net_sales, quantity, max(line["quantityOrdered"] for line in lines)),
                *(
                    rounded(gross / quantity, 4),
                    gross - sum(line["cost"] for line in lines),
                    net_cost,
                    net_sales - net_cost,
                ),
                *(len(orders), sum(map(kept, orders)), len({order["customerNumber"] for order in orders})),
                rounded(Decimal(days) / len(shipped), 4) if shipped else None,
                rounded(
                    Decimal(sum(order["shippedDate"] > order["requiredDate"] for order in shipped)) / len(shipped), 4
                )
                if shipped
                else None,
            )
        )
    found = star.query(
        f"select {column}, gross_sales_amount, net_sales_amount, quantity_ordered, largest_quantity_ordered, average_unit_price,"
        " margin_amount, net_cost_amount, net_margin_amount, order_count, kept_order_count, customer_count, average_days_to_ship,"
        f" late_share from marts.metrics_by_{name} where order_count > 0"
    )
    assert sorted(found, key=str) == sorted(expected, key=str)


def open_orders(shop: Shop, customer: int, until: datetime.date) -> tuple[list[tuple[Row, Decimal]], Decimal]:
    """The customer's orders up to a day that are not paid in full, oldest first, with what is open of each; and what was paid ahead."""
    paid = sum(
        (p["amount"] for p in shop.payments if p["customerNumber"] == customer and p["paymentDate"] <= until),
        Decimal(0),
    )
    left = []
    orders = [
        o for o in shop.orders.values() if o["customerNumber"] == customer and o["orderDate"] <= until and kept(o)
    ]
    for order in sorted(orders, key=lambda order: (order["orderDate"], order["orderNumber"])):
        part = min(paid, order["amount"])
        paid -= part
        if part < order["amount"]:
            left.append((order, order["amount"] - part))
    return left, paid


def aged(shop: Shop, today: datetime.date) -> list[tuple[Any, ...]]:
    """Customer, month end, day of the age, and what is owed by age; as the mart has it."""
    found = []
    for end in month_ends(shop, today):
        day = min(end, today)
        for customer in shop.customers:
            left, ahead = open_orders(shop, customer, end)
            ages = [Decimal(0)] * 5
            for order, amount in left:
                days = (day - order["orderDate"]).days
                ages[sum(days > limit for limit in (0, 30, 60, 90))] += amount
            if left or ahead:
                found.append((customer, int(f"{end:%Y%m%d}"), int(f"{day:%Y%m%d}"), *ages, ahead, sum(ages) - ahead))
    return found


def days_sales_outstanding(shop: Shop, today: datetime.date) -> list[tuple[str, Decimal, Decimal]]:
    owed: dict[int, Decimal] = defaultdict(Decimal)
    for row in aged(shop, today):
        owed[row[1]] += row[-1]
    found = []
    for end in month_ends(shop, today):
        day = min(end, today)
        sales = sum(o["amount"] for o in shop.orders.values() if kept(o) and 0 <= (day - o["orderDate"]).days < 90)
        found.append((f"{end:%Y-%m}", owed[int(f"{end:%Y%m%d}")], rounded(owed[int(f"{end:%Y%m%d}")] * 90 / sales, 1)))
    return found


def overdue(shop: Shop, today: datetime.date) -> list[tuple[int, int]]:
    """Orders that should have left, and for how many days."""
    return [
        (order["orderNumber"], (today - order["requiredDate"]).days)
        for order in shop.orders.values()
        if kept(order) and order["shippedDate"] is None and order["requiredDate"] < today
    ]


AGES = (
    "select customer_number, month_end_date_key, as_of_date_key, current_amount, due_1_to_30_days_amount, due_31_to_60_days_amount,"
    " due_61_to_90_days_amount, due_over_90_days_amount, paid_ahead_amount, outstanding_amount from {}marts.fct_receivables"
)
DAYS_OF_SALES = "select year_month, outstanding_amount, days_sales_outstanding from {}marts.metrics_by_month where outstanding_amount is not null"
OVERDUE = "select order_number, days_overdue from {}marts.fct_open_orders where is_overdue"


@pytest.fixture(scope="module")
def build_of_may_31(star: Star) -> Iterator[None]:
    """The same raw tables, landed on 31 May 2005."""
    raw = f"raw_{EARLIER}"
    tables = [
        table
        for (table,) in star.query(
            "select table_name from information_schema.tables where table_schema = 'raw_classicmodels'"
        )
    ]
    connection = star.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(f"create schema {raw}")
        for table in tables:
            columns = "*"
            if table == "_landing_runs":
                columns = (
                    "run_id, source_database, started_at, finished_at, timestamptz '2005-05-31 22:00+00' as loaded_at"
                )
            cursor.execute(f"create view {raw}.{table} as select {columns} from raw_classicmodels.{table}")
        cursor.execute(f"grant usage on schema {raw} to public; grant select on all tables in schema {raw} to public")
    wanted = [f"+{model}" for model in ("fct_open_orders", "metrics_by_month")]
    result = star.dbt(
        *("build", "--exclude-resource-type", "test", "unit_test", "--select", *wanted),
        DBT_SCHEMA_PREFIX=EARLIER,
        DBT_RAW_SCHEMA=raw,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    yield
    with connection.cursor() as cursor:
        for schema in ("staging", "intermediate", "marts", "marts_masked", "snapshots", "seeds", "quality"):
            cursor.execute(f"drop schema if exists {EARLIER}_{schema} cascade")
        cursor.execute(f"drop schema {raw} cascade")
    connection.close()


def test_receivables_overdue_and_days_of_sales_on_the_landings_day(star: Star, shop: Shop) -> None:
    ((today,),) = star.query(
        "select cast(max(loaded_at at time zone 'UTC') as date) from raw_classicmodels._landing_runs"
    )
    assert sorted(star.query(AGES.format(""))) == sorted(aged(shop, today))
    assert sorted(star.query(DAYS_OF_SALES.format(""))) == sorted(days_sales_outstanding(shop, today))
    assert sorted(star.query(OVERDUE.format(""))) == sorted(overdue(shop, today))


@pytest.mark.usefixtures("build_of_may_31")
def test_receivables_overdue_and_days_of_sales_on_an_earlier_day(star: Star, shop: Shop) -> None:
    assert len(overdue(shop, MAY_31)) == 4
    assert sorted(star.query(OVERDUE.format(f"{EARLIER}_"))) == sorted(overdue(shop, MAY_31))
    assert sorted(star.query(AGES.format(f"{EARLIER}_"))) == sorted(aged(shop, MAY_31))
    assert sorted(star.query(DAYS_OF_SALES.format(f"{EARLIER}_"))) == sorted(days_sales_outstanding(shop, MAY_31))


def test_how_well_payments_fit_the_oldest_orders_is_said(shop: Shop) -> None:
    exact = fitting = 0
    for payment in shop.payments:
        own = [order for order in shop.orders.values() if order["customerNumber"] == payment["customerNumber"]]
        if payment["amount"] not in {order["amount"] for order in own}:
            continue
        exact += 1
        others = [other for other in shop.payments if other is not payment]
        left, _ = open_orders(shop._replace(payments=others), payment["customerNumber"], payment["paymentDate"])
        fitting += bool(left) and left[0][1] == payment["amount"]
    (model,) = yaml.safe_load((PROJECT / "models/marts/fct_receivables.yml").read_text(encoding="utf-8"))["models"]
    said = " ".join(model["description"].split())
    assert f"{exact} of {len(shop.payments)} payments equal one order's total to the cent: {fitting} of them" in said
