"""What changes behind the facts' back stops a build, instead of leaving them wrong for good."""

import datetime
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
        connection = self.star.servers.postgres()
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return list(rows)

    def land(self, *statements: str, **options: Any) -> None:
        """Change the source, and land it; ``options`` are fields of the landing's ``Settings``."""
        connection = self.star.servers.mysql("classicmodels")
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()
        self.star.land(**options)

    def place_of_the_order(self) -> object:
        ((place,),) = self.execute(
            "select customers.city from late_marts.fct_orders"
            f" join late_marts.dim_customers as customers using (customer_key) where order_number = {ORDER}"
        )
        return place


@pytest.fixture(scope="module")
def warehouse(star: Star) -> Iterator[Warehouse]:
    one = Warehouse(star)
    assert one.dbt("build", "--exclude-resource-type", "test", "unit_test") == ""
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


def test_nothing_is_refused_when_nothing_landed(warehouse: Warehouse) -> None:
    assert warehouse.dbt("run", "--select", "int_orders__bound", "fct_orders", "fct_payments") == ""


@pytest.mark.usefixtures("landed")
def test_facts_do_not_run_ahead_of_their_history(warehouse: Warehouse) -> None:
    said = warehouse.dbt("run")
    assert "int_orders__bound would take in a landing that snap_customers does not know yet" in said
    assert "run `dbt build`" in said and "--select" not in said
    assert "snap_customers" in warehouse.dbt("build", "--select", "int_orders__bound", "fct_orders")
    assert "snap_" not in warehouse.dbt("build", "--select", "fct_stock_levels"), "its products have not changed"
    assert warehouse.dbt("snapshot") == ""
    only_facts = ("run", "--select", "int_orders__bound", "fct_orders")
    for words in (only_facts, (*only_facts, "--full-refresh")):
        assert "int_orders__bound would take in a landing that dim_customers does not know yet" in warehouse.dbt(*words)
    assert warehouse.dbt("run") == "", "the snapshots have run"
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
    ((whole,),) = warehouse.execute(
        f"select is_whole from late_quality.test_results where test_name = '{LOST_TEST}' order by started_at desc limit 1"
    )
    assert not whole
    assert warehouse.dbt("snapshot") == "" and warehouse.dbt("run") == "" and warehouse.dbt(*build) == ""
    warehouse.land(f"update orderdetails set quantityOrdered = quantityOrdered - 1 where {line}")


def test_a_landing_that_a_part_of_the_models_took_in_is_noticed(warehouse: Warehouse) -> None:
    """The offices' new rows move the wide table's watermark past orders that its other input has not taken in."""
    assert warehouse.dbt("build", "--exclude-resource-type", "test", "unit_test") == ""
    move = "update orders set requiredDate = requiredDate {} interval 1 day where orderNumber = 10101"
    warehouse.land("update offices set phone = concat(phone, '0') where officeCode = '1'", move.format("+"))
    assert warehouse.dbt("build", "--select", "snap_offices+", "--exclude-resource-type", "unit_test") == ""
    build = ("build", "--exclude-resource-type", "unit_test")
    assert "Failure in test assert_the_wide_table_agrees_with_the_star" in warehouse.dbt(*build)
    assert warehouse.dbt(*build, "--full-refresh") == ""
    warehouse.land("update offices set phone = left(phone, length(phone) - 1) where officeCode = '1'", move.format("-"))
    assert warehouse.dbt(*build) == ""


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
        assert warehouse.dbt("run", "--select", "dim_products") == ""
        said = warehouse.dbt("test", "--select", "assert_keys_are_spelled_as_where_they_point")
        assert "Got 2 results" in said
    finally:
        warehouse.land(product.format("S18_1749"), line.format("Classic Cars"))


def test_a_price_of_more_decimals_is_named(warehouse: Warehouse) -> None:
    price = "update products set buyPrice = {} where productCode = 'S10_1949'"
    warehouse.land("alter table products modify buyPrice decimal(14,4) not null", price.format(98.5812))
    try:
        assert "Failure in test prices_have_two_decimals" in warehouse.dbt(
            "build", "--select", "stg_classicmodels__products"
        )
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
