"""What changes behind the facts' back is taken in later or stops a build, instead of leaving them wrong for good."""

import concurrent.futures
import contextlib
import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.project.conftest import Star

PREFIX = "late"
SCHEMAS = [
    f"{PREFIX}_{name}" for name in ("staging", "intermediate", "marts", "marts_masked", "snapshots", "seeds", "quality")
]
STATUS_TEST = "assert_orders_are_what_their_status_says"
LOST_TEST = "assert_no_order_line_is_lost"
PART = ("--indirect-selection", "cautious", "--select")
"""A part of the models, and the tests whose models are all in it."""
ORDER, CUSTOMER, FIRST_PLACE, NEXT_PLACE = 999_001, 103, "Nantes", "Bergen"


class Warehouse:
    """A build of its own, beside the one that the other tests read."""

    def __init__(self, star: Star):
        self.star = star

    def dbt(self, *words: str) -> str:
        """What dbt says when something goes wrong; nothing when all is well."""
        result = self.star.dbt(*words, DBT_SCHEMA_PREFIX=PREFIX)
        return "" if result.returncode == 0 else result.stdout

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        return self.star.query(statement)

    def land(self, *statements: str, **options: Any) -> None:
        """Change the source, and land it; ``options`` are fields of the landing's ``Settings``."""
        connection = self.star.servers.mysql("classicmodels")
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()
        self.star.land(**options)

    def marts(self) -> dict[str, list[tuple[object, ...]]]:
        """The rows of every incremental mart."""
        names = ("order_lines", "orders", "payments", "order_product_lines", "customer_balances")
        tables = [*(f"fct_{name}" for name in names), "orders_obt", "ml_customer_features"]
        return {name: self.execute(f"select * from late_marts.{name} order by {name}::text") for name in tables}

    def place_of_the_order(self) -> object:
        ((place,),) = self.execute(
            "select customers.city from late_marts.fct_orders"
            f" join late_marts.dim_customers as customers using (customer_key) where order_number = {ORDER}"
        )
        return place


@pytest.fixture(scope="module")
def warehouse(star: Star) -> Iterator[Warehouse]:
    one = Warehouse(star)
    assert one.dbt("build", "--exclude-resource-type", "unit_test") == "", (
        "tests look at what comes later, and at no more"
    )
    yield one
    for schema in SCHEMAS:
        one.execute(f"drop schema if exists {schema} cascade")


@pytest.fixture
def landed(warehouse: Warehouse) -> Iterator[None]:
    """A customer has moved and ordered since the last build; afterwards the source is as it was."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    warehouse.land(
        f"update customers set city = '{NEXT_PLACE}' where customerNumber = {CUSTOMER}",
        f"insert into orders values ({ORDER}, '{today}', '{today}', null, 'In Process', null, {CUSTOMER})",
    )
    yield
    warehouse.land(
        f"update customers set city = '{FIRST_PLACE}' where customerNumber = {CUSTOMER}",
        f"delete from orders where orderNumber = {ORDER}",
    )


@pytest.mark.usefixtures("landed")
def test_facts_that_ran_ahead_of_their_history_are_bound_anew(warehouse: Warehouse) -> None:
    """``dbt run`` makes no snapshots: it takes the landing in, and does not count it as taken in."""
    assert warehouse.dbt("run") == ""
    assert warehouse.place_of_the_order() == FIRST_PLACE
    assert warehouse.dbt("snapshot") == ""
    assert warehouse.dbt("run", "--select", "int_orders__bound", "fct_orders") == ""
    assert warehouse.place_of_the_order() == FIRST_PLACE, "the dimension has not been built"
    assert warehouse.dbt("run") == ""
    assert warehouse.place_of_the_order() == NEXT_PLACE


def test_a_status_that_means_something_else_is_noticed(warehouse: Warehouse) -> None:
    build = ("build", "--exclude-resource-type", "unit_test", "--select", "dim_order_statuses", STATUS_TEST)
    said = "update late_seeds.order_statuses set is_open = {0}, is_counted_as_sale = {0} where order_status = 'On Hold'"
    assert warehouse.dbt(*build) == ""
    warehouse.execute(said.format("false"))
    assert f"Failure in test {STATUS_TEST}" in warehouse.dbt(*build)
    remedy = ("build", "--full-refresh", "--exclude", "resource_type:seed", "resource_type:unit_test")
    assert warehouse.dbt(*remedy) == ""
    count = "select count(*) from late_marts.fct_orders where is_cancelled and order_status = 'On Hold'"
    assert warehouse.execute(count) == [(4,)]


def test_a_change_that_no_model_took_in_is_missed(warehouse: Warehouse) -> None:
    """By the build's look at what the last landing changed: none of the models has written the order."""
    build = ("build", "--select", LOST_TEST)
    line = "orderNumber = 10100 and orderLineNumber = 1"
    assert warehouse.dbt("run") == "" and warehouse.dbt(*build) == ""
    warehouse.land(f"update orderdetails set quantityOrdered = quantityOrdered + 1 where {line}")
    assert f"Failure in test {LOST_TEST}" in warehouse.dbt(*build)
    assert warehouse.execute("select is_whole from late_quality.builds order by built_at desc limit 1") == [(False,)]
    assert warehouse.dbt("snapshot") == "" and warehouse.dbt("run") == "" and warehouse.dbt(*build) == ""
    warehouse.land(f"update orderdetails set quantityOrdered = quantityOrdered - 1 where {line}")


def test_a_landing_that_a_part_of_the_models_took_in_is_taken_in_again(warehouse: Warehouse) -> None:
    """One input of a table has seen the landing and another has not, as after ``dbt retry``: the rest is still to come."""
    build = ("build", "--exclude-resource-type", "unit_test")
    assert warehouse.dbt(*build, "--full-refresh") == "", "a test before this one changed what a status means"
    warehouse.land(
        "update offices set phone = concat(phone, '0') where officeCode = '1'",
        "update orders set requiredDate = requiredDate + interval 1 day where orderNumber = 10101",
        "update orders set orderDate = orderDate - interval 40 day where orderNumber = 10425",
        "update orders set customerNumber = 103 where orderNumber = 10424",
        "insert into payments values (114, 'HALF', '2005-05-20', 5)",
    )
    part = ("--select", "snap_offices+", "+int_customers__totals+", "--exclude-resource-type", "test", "unit_test")
    assert warehouse.dbt("build", *part) == ""
    assert warehouse.dbt(*build) == ""
    found = warehouse.marts()
    assert warehouse.dbt(*build, "--full-refresh") == ""
    assert warehouse.marts() == found
    warehouse.land(
        "update offices set phone = left(phone, length(phone) - 1) where officeCode = '1'",
        "update orders set requiredDate = requiredDate - interval 1 day where orderNumber = 10101",
        "update orders set orderDate = orderDate + interval 40 day where orderNumber = 10425",
        "update orders set customerNumber = 141 where orderNumber = 10424",
        "delete from payments where checkNumber = 'HALF'",
    )


@pytest.mark.parametrize("model", ["int_orders__bound", "int_customers__monthly_activity"])
def test_a_landing_that_is_published_during_a_build_is_taken_in_again(warehouse: Warehouse, model: str) -> None:
    build = ("build", "--exclude-resource-type", "test", "unit_test")
    warehouse.land(
        "update orders set comments = concat(coalesce(comments, ''), '1') where orderNumber = 10425",
        "insert into payments values (119, 'BEFORE', '2005-05-20', 500)",
    )
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        contextlib.closing(warehouse.star.servers.postgres()) as holder,
        holder.cursor() as cursor,
    ):
        holder.autocommit = False
        cursor.execute(f"lock table late_intermediate.{model} in share mode")
        said = pool.submit(warehouse.dbt, *build)
        waiting = f"select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%{model}%'"
        for _ in range(300):
            if warehouse.execute(waiting) != [(0,)]:
                break
            time.sleep(0.2)
        else:
            pytest.fail("the build has not come to the table within a minute")
        warehouse.land(
            "update customers set creditLimit = creditLimit + 1, phone = concat(phone, '0') where customerNumber = 103",
            "update orders set requiredDate = requiredDate + interval 1 day where orderNumber = 10101",
            "insert into payments values (112, 'MEANWHILE', '2005-05-20', 500)",
            "delete from payments where checkNumber = 'BEFORE'",
        )
        holder.rollback()
        assert said.result() == ""
    assert warehouse.dbt(*build) == ""
    found = warehouse.marts()
    assert warehouse.dbt(*build, "--full-refresh") == ""
    assert warehouse.marts() == found
    warehouse.land(
        "update customers set creditLimit = creditLimit - 1, phone = left(phone, length(phone) - 1) where customerNumber = 103",
        "update orders set requiredDate = requiredDate - interval 1 day where orderNumber = 10101",
        "delete from payments where checkNumber = 'MEANWHILE'",
    )


def test_a_month_that_is_gone_leaves_no_trace(warehouse: Warehouse) -> None:
    """Nor in the times of change: the payment that made the month was its customer's latest change."""
    build = ("build", "--exclude-resource-type", "test", "unit_test")
    warehouse.land("insert into payments values (114, 'LAST', '2006-01-20', 5)")
    assert warehouse.dbt(*build) == ""
    warehouse.land("delete from payments where checkNumber = 'LAST'")
    assert warehouse.dbt(*build) == ""
    found = warehouse.marts()
    assert warehouse.dbt(*build, "--full-refresh") == ""
    assert warehouse.marts() == found


def test_a_table_that_was_emptied_is_filled_again(warehouse: Warehouse) -> None:
    whole = warehouse.execute("select count(*), sum(quantity_ordered) from raw_classicmodels.orderdetails")
    warehouse.execute("truncate late_marts.fct_order_lines")
    assert warehouse.dbt("build", "--exclude-resource-type", "unit_test") == ""
    assert warehouse.execute("select count(*), sum(quantity_ordered) from late_marts.fct_order_lines") == whole


@pytest.mark.parametrize("column", ["order_date_key", "required_date_key", "shipped_date_key"])
def test_lines_that_have_another_day_than_their_order_are_noticed(warehouse: Warehouse, column: str) -> None:
    change = f"update late_marts.fct_order_lines set {column} = {column} {{}} 1 where order_number = 10102"
    test = ("test", "--select", "assert_orders_equal_the_source_order_by_order")
    assert warehouse.dbt(*test) == ""
    warehouse.execute(change.format("+"))
    said = warehouse.dbt(*test)
    warehouse.execute(change.format("-"))
    assert "Failure in test assert_orders_equal_the_source_order_by_order" in said


@pytest.fixture
def with_an_order(warehouse: Warehouse) -> Iterator[None]:
    """An order of today, landed and built; afterwards the source is as it was."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    warehouse.land(f"insert into orders values ({ORDER}, '{today}', '{today}', null, 'In Process', null, {CUSTOMER})")
    assert warehouse.dbt("build", "--full-refresh", "--exclude-resource-type", "test", "unit_test") == ""
    yield
    warehouse.land(
        f"delete from orders where orderNumber = {ORDER}",
        "alter table orders modify status varchar(15) not null",
        accept_drift=True,
    )
    assert warehouse.dbt("build", "--full-refresh", "--exclude-resource-type", "test", "unit_test") == ""


@pytest.mark.usefixtures("with_an_order")
def test_a_table_that_was_rebuilt_takes_its_deletions_along(warehouse: Warehouse) -> None:
    warehouse.land(
        f"delete from orders where orderNumber = {ORDER}",
        "alter table orders modify status varchar(14) not null",
        accept_drift=True,
    )
    assert warehouse.dbt("build", "--exclude-resource-type", "unit_test") == ""
    assert warehouse.execute(f"select 1 from late_marts.fct_orders where order_number = {ORDER}") == []


def test_a_day_whose_last_landing_found_no_product_has_no_stock(warehouse: Warehouse) -> None:
    today = "select count(*) from late_marts.fct_stock_levels where date_key = to_char(now() at time zone 'UTC', 'YYYYMMDD')::int"
    stock = ("run", "--select", "+fct_stock_levels", "--exclude", "resource_type:snapshot")
    warehouse.land()
    assert warehouse.dbt("snapshot") == "" and warehouse.dbt(*stock) == ""
    assert warehouse.execute(today) == [(110,)]
    warehouse.land(
        "create table kept as select * from products",
        "set foreign_key_checks = 0",
        "delete from products",
        exclude=("kept",),
    )
    try:
        assert warehouse.dbt("snapshot") == "" and warehouse.dbt(*stock) == ""
        assert warehouse.execute(today) == [(0,)]
        test = "assert_stock_of_the_last_landing_equals_the_source"
        assert warehouse.dbt("test", "--select", test) == ""
    finally:
        warehouse.land("insert into products select * from kept", "drop table kept")


def test_a_key_in_another_spelling_is_named(warehouse: Warehouse) -> None:
    """MySQL takes both for the same, also in a foreign key."""
    product = "update orderdetails set productCode = '{}' where orderNumber = 10100 and orderLineNumber = 3"
    line = "update products set productLine = '{}' where productCode = 'S10_1949'"
    warehouse.land(product.format("s18_1749"), line.format("classic cars"))
    try:
        assert warehouse.dbt("snapshot") == ""
        assert warehouse.dbt("build", *PART, "dim_products", "stg_classicmodels__exceptions+") == "", (
            "it stops no build"
        )
        named = warehouse.execute(
            "select row_key from late_marts.source_exceptions where rule_name like 'key_is_%' order by 1"
        )
        assert named == [("10100/s18_1749",), ("S10_1949",)]
    finally:
        warehouse.land(product.format("S18_1749"), line.format("Classic Cars"))


def test_a_price_of_more_decimals_is_named(warehouse: Warehouse) -> None:
    """And rounded, in the dimension alone: the snapshot keeps it, and makes no version of it in each build."""
    price = "update products set buyPrice = {} where productCode = 'S10_1949'"
    warehouse.land("alter table products modify buyPrice decimal(14,4) not null", price.format(98.5812))
    try:
        assert warehouse.dbt("snapshot") == ""
        prices = warehouse.execute("select product_code, buy_price from late_snapshots.snap_products order by 1, 2")
        assert (
            warehouse.dbt("snapshot") == ""
            and warehouse.dbt("build", *PART, "+source_exceptions", "+dim_products") == ""
        )
        assert prices == warehouse.execute(
            "select product_code, buy_price from late_snapshots.snap_products order by 1, 2"
        )
        named = warehouse.execute("select rule_name, row_key from late_marts.source_exceptions")
        assert named == [("price_has_more_than_cents", "S10_1949")]
    finally:
        warehouse.land(
            price.format(98.58), "alter table products modify buyPrice decimal(10,2) not null", accept_drift=True
        )


def test_a_table_without_its_key_is_named(warehouse: Warehouse) -> None:
    test = ("test", "--select", "assert_deletions_name_what_they_delete")
    warehouse.execute("update raw_classicmodels._landing_columns set key_position = 0 where table_name = 'payments'")
    said = warehouse.dbt(*test)
    warehouse.execute(
        "update raw_classicmodels._landing_columns set key_position = array_position(array['customer_number', 'check_number'],"
        " column_name) where table_name = 'payments' and column_name in ('customer_number', 'check_number')"
    )
    assert "Got 2 results" in said and warehouse.dbt(*test) == ""
