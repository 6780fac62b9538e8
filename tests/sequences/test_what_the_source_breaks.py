"""A row that breaks a rule of the source stops no build: it is counted, named by its key, and heals when the source does."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from tests.project.conftest import Star

SCHEMAS = ("staging", "intermediate", "marts", "marts_masked", "snapshots", "seeds", "quality")
HIDDEN_NAME = "Atelier"
"""Begins the name of customer 103."""
NUL = "convert(0x00 using utf8mb4)"
NOT_YET_A_DAY = f"{datetime.datetime.now(datetime.timezone.utc).year + 40}-01-20"
BREAKS = (
    # what no text of the warehouse can hold
    f"update customers set customerName = concat(customerName, {NUL}) where customerNumber = 103",
    f"update customers set city = {NUL}, country = {NUL} where customerNumber = 112",
    f"update employees set jobTitle = {NUL}, lastName = concat(lastName, {NUL}) where employeeNumber = 1002",
    f"update offices set territory = {NUL} where officeCode = '1'",
    f"update products set productName = {NUL}, productVendor = {NUL} where productCode = 'S10_1678'",
    f"update orders set status = {NUL} where orderNumber = 10107",
    # quantities
    "update orderdetails set quantityOrdered = -2 where orderNumber = 10100 and orderLineNumber = 3",
    "update orderdetails set quantityOrdered = 0 where orderNumber = 10100 and orderLineNumber = 2",
    # dates
    "update orders set shippedDate = orderDate - interval 3 day where orderNumber = 10101",
    "update orders set requiredDate = '9999-12-31' where orderNumber = 10102",
    "update orders set shippedDate = '9999-12-31' where orderNumber = 10103",
    "update orders set orderDate = '0000-00-00' where orderNumber = 10104",
    "update orders set orderDate = '1900-01-01' where orderNumber = 10106",
    "update orders set orderDate = '0000-00-00', requiredDate = '0000-00-00' where orderNumber = 10108",
    "update payments set paymentDate = '0000-00-00' where customerNumber = 103 order by checkNumber limit 1",
    "update payments set paymentDate = '2205-01-20' where customerNumber = 112 order by checkNumber limit 1",
    f"update payments set paymentDate = '{NOT_YET_A_DAY}' where customerNumber = 114 order by checkNumber limit 1",
    # types
    "alter table orderdetails modify quantityOrdered bigint not null",
    "alter table orderdetails modify priceEach decimal(12,4) not null, modify orderLineNumber int not null",
)
EXPECTED = {
    ("value_could_not_land", "customers", "customer_name", '{"customer_number" : 103}'),
    ("value_is_missing", "customers", "customer_name", "103"),
    ("value_is_missing", "customers", "city", "112"),
    ("value_is_missing", "customers", "country", "112"),
    ("value_is_missing", "employees", "job_title", "1002"),
    ("value_is_missing", "employees", "last_name", "1002"),
    ("value_is_missing", "offices", "territory", "1"),
    ("value_is_missing", "products", "product_name", "S10_1678"),
    ("value_is_missing", "products", "product_vendor", "S10_1678"),
    ("value_is_missing", "orders", "status", "10107"),
    ("quantity_is_zero", "orderdetails", "quantity_ordered", "10100/S18_2248"),
    ("shipped_before_ordered", "orders", "shipped_date", "10101"),
    ("date_is_no_day", "orders", "required_date", "10102"),
    ("date_is_no_day", "orders", "shipped_date", "10103"),
    ("date_is_missing", "orders", "order_date", "10104"),
    ("date_is_no_day", "orders", "order_date", "10106"),
}
TABLES = ("customers", "employees", "offices", "products", "orders", "orderdetails", "payments")


class Warehouse:
    """A build of its own, beside the one that the other tests read."""

    def __init__(self, star: Star, prefix: str):
        self.star = star
        self.prefix = prefix

    def dbt(self, *words: str, succeeds: bool = True) -> str:
        result = self.star.dbt(*words, DBT_SCHEMA_PREFIX=self.prefix)
        assert (result.returncode == 0) == succeeds, result.stdout[-6000:]
        return result.stdout

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows; ``{marts}`` is this warehouse's schema of that name."""
        return self.star.query(sql.replace("{", f"{self.prefix}_").replace("}", ""))

    def execute(self, statements: str) -> None:
        self.query(statements)

    def drop(self) -> None:
        for schema in SCHEMAS:
            self.execute(f"drop schema if exists {self.prefix}_{schema} cascade")

    def land(self, *statements: str) -> None:
        connection = self.star.servers.mysql("classicmodels")
        with connection.cursor() as cursor:
            cursor.execute("set sql_mode = '', foreign_key_checks = 0")
            for statement in statements:
                cursor.execute(statement)
        connection.close()
        self.star.land(accept_drift=True, exclude=("whole_*",))

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """The facts, without their times of change."""
        found = {
            table: self.query(f"select to_jsonb(t) - '_loaded_at' - 'product_key' from {{marts}}.{table} t order by 1")
            for table in ("fct_customer_balances", "fct_stock_levels")
        }
        for table in ("fct_order_lines", "fct_orders", "fct_payments", "orders_obt"):
            found[table] = self.query(
                "select to_jsonb(t) - '_loaded_at' - 'product_key' - 'customer_key' - 'sales_rep_employee_key'"
                f" - 'office_key' - 'is_cost_known_at_order_date' from {{marts}}.{table} t order by 1"
            )
        return found


@pytest.fixture(scope="module")
def warehouse(star: Star) -> Iterator[Warehouse]:
    one = Warehouse(star, "broken")
    one.land(*(f"create table whole_{table} as select * from {table}" for table in TABLES))
    one.dbt("build", "--exclude-resource-type", "test", "unit_test")
    yield one
    one.land(*(f"drop table whole_{table}" for table in TABLES))
    one.drop()


def mend(warehouse: Warehouse) -> None:
    warehouse.land(
        *(f"replace into {table} select * from whole_{table}" for table in TABLES),
        "alter table orderdetails modify quantityOrdered int not null",
        "alter table orderdetails modify priceEach decimal(10,2) not null, modify orderLineNumber smallint not null",
    )


def test_broken_rows_stop_nothing_and_heal(warehouse: Warehouse) -> None:
    before = warehouse.state()
    last_month = warehouse.query("select max(month_end_date_key) from {marts}.fct_customer_balances")
    warehouse.land(*BREAKS)
    try:
        said = warehouse.dbt("build", "--exclude-resource-type", "unit_test")
        found = set(
            warehouse.query("select rule_name, table_name, column_name, row_key from {marts}.source_exceptions")
        )
        assert found >= EXPECTED
        assert {row[:3] for row in found if row[1] == "payments"} == {
            ("value_could_not_land", "payments", "payment_date"),
            ("date_is_missing", "payments", "payment_date"),
            ("date_is_no_day", "payments", "payment_date"),
            ("date_is_after_the_landing", "payments", "payment_date"),
        }
        assert "shipped_before_ordered: 1 rows of orders (shipped_date: no days to ship), first 10101." in said
        assert "value_is_missing: 1 rows of customers (customer_name: shown as Unknown), first 103." in said
        assert HIDDEN_NAME not in said

        assert warehouse.query(
            "select customer_name from {marts}.dim_customers where customer_number = 103 and is_current"
        ) == [("Unknown",)]
        assert warehouse.query(
            "select city, country from {marts}.dim_customers where customer_number = 112 and is_current"
        ) == [("Unknown", "Unknown")]
        assert warehouse.query("select territory from {marts}.dim_offices where office_code = '1'") == [("Unknown",)]
        (line,) = warehouse.query(
            "select is_return, quantity_ordered, gross_sales_amount = -2 * unit_price, net_sales_amount < 0, cost_amount < 0"
            " from {marts}.fct_order_lines where order_number = 10100 and order_line_number = 3"
        )
        assert line == (True, -2, True, True, True)
        days = warehouse.query(
            "select order_number, order_date_key, required_date_key, shipped_date_key, days_to_ship from {marts}.fct_orders"
            " where order_number in (10101, 10102, 10103, 10104, 10106, 10108) order by 1"
        )
        assert [row[4] is None for row in days] == [True, False, True, True, True, True]
        assert days[1][2] == days[2][3] == days[4][1] == -2 and days[3][1] == days[5][1] == days[5][2] == -1
        assert warehouse.query("select max(month_end_date_key) from {marts}.fct_customer_balances") == last_month
        assert warehouse.query(
            "select payment_date_key from {marts}.fct_payments where payment_date_key < 0 order by 1"
        ) == [(-2,), (-1,)]
    finally:
        mend(warehouse)
    said = warehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert "rule of the source" not in said
    assert warehouse.query("select * from {marts}.source_exceptions") == []
    assert warehouse.state() == before


def test_a_rule_may_stop_a_build(warehouse: Warehouse) -> None:
    words = ("build", "--select", "stg_classicmodels__exceptions+")
    warehouse.land("update orders set shippedDate = orderDate - interval 3 day where orderNumber = 10101")
    try:
        warehouse.dbt(*words)
        said = warehouse.dbt(*words, "--vars", "rules_that_stop: [shipped_before_ordered]", succeeds=False)
        assert "Failure in test assert_the_source_keeps_the_rules_that_stop" in said
    finally:
        mend(warehouse)


def test_a_column_that_is_emptied_stops_the_build_until_it_is_accepted(warehouse: Warehouse) -> None:
    warehouse.dbt("snapshot")
    versions = warehouse.query("select count(*) from {snapshots}.snap_customers")
    warehouse.land("alter table customers drop column city, add column city varchar(50) not null after addressLine2")
    try:
        said = warehouse.dbt("build", succeeds=False)
        assert (
            "customers.city is emptied, 0 % missing -> 100 % missing" in said and "make accept TABLE=customers" in said
        )
        assert warehouse.query("select count(*) from {snapshots}.snap_customers") == versions
        warehouse.dbt("run-operation", "accept_profile", "--args", "{table_name: customers}")
        warehouse.dbt("snapshot", "--select", "snap_offices")
    finally:
        mend(warehouse)
        warehouse.dbt("snapshot")


def test_other_jumps_of_a_landing_warn_until_they_are_accepted(warehouse: Warehouse) -> None:
    warehouse.land(
        "update products set buyPrice = buyPrice * 100",
        "update payments set amount = 7",
        "delete from orderdetails where orderNumber > 10200",
    )
    try:
        for _ in range(2):
            said = warehouse.dbt("snapshot", "--select", "snap_offices")
            assert "products.buy_price is of another size" in said and "payments.amount has one value" in said
            assert said.count("lost half its rows") == 1, "of a table, not of each column"
        for table in ("products", "payments", "orderdetails"):
            warehouse.dbt("run-operation", "accept_profile", "--args", f"{{table_name: {table}}}")
        assert "profile of the landing" not in warehouse.dbt("snapshot", "--select", "snap_offices")
    finally:
        mend(warehouse)
        for table in ("products", "payments", "orderdetails"):
            warehouse.dbt("run-operation", "accept_profile", "--args", f"{{table_name: {table}}}")


def test_profiles_hold_nothing_personal(warehouse: Warehouse) -> None:
    shown = warehouse.query(
        "select table_name, column_name from {quality}.profiles where coalesce(minimum, maximum, total::text) is not null"
    )
    assert ("products", "buy_price") in shown and ("payments", "amount") in shown
    assert not {column for _, column in shown} & {"customer_number", "phone", "postal_code", "check_number", "comments"}


def test_a_table_that_did_not_land_is_stale_and_says_so(warehouse: Warehouse) -> None:
    raw = "raw_classicmodels._landing_"
    assert "STALE" not in warehouse.dbt("source", "freshness")
    warehouse.execute(
        f"insert into {raw}runs select 'long ago', started_at - interval '5 days', finished_at - interval '5 days',"
        f" '2005-01-01', source_database from {raw}runs order by loaded_at desc limit 1;"
        f"create table {raw}tables_kept as select * from {raw}tables;"
        f"update {raw}tables set run_id = 'long ago' where table_name = 'orders'"
    )
    try:
        said = warehouse.dbt("source", "freshness", succeeds=False)
        assert "orders landed 120" in said and "fails after 50 hours. Land it (`make run`)" in said
        assert said.count("ERROR STALE freshness") == 1
    finally:
        warehouse.execute(
            f"truncate {raw}tables; insert into {raw}tables select * from {raw}tables_kept; drop table {raw}tables_kept;"
            f"delete from {raw}runs where run_id = 'long ago'"
        )
