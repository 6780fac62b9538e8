"""In a build, tests of large tables look at what changed since the last tested build, and at nothing less."""

from collections.abc import Iterator

import pytest

from tests.project.conftest import Star

PREFIX = "partial"
TEST = "unique_orders_obt_order_line_key"
BUILD = ("build", "--select", TEST)
SCHEMAS = [
    f"{PREFIX}_{name}" for name in ("staging", "intermediate", "marts", "marts_masked", "snapshots", "seeds", "quality")
]
NOT_ANALYZED = """
select oid::regclass::text from pg_class
where relnamespace in ('partial_intermediate'::regnamespace, 'partial_marts'::regnamespace) and relkind = 'r' and relpages > 0
    and not exists (select 1 from pg_stats where schemaname = relnamespace::regnamespace::text and tablename = relname)
"""


class Warehouse:
    """A build of its own, beside the one that the other tests read."""

    def __init__(self, star: Star):
        self.star = star

    def dbt(self, *words: str) -> str:
        """What dbt says of the test, or that all went well."""
        result = self.star.dbt(*words, DBT_SCHEMA_PREFIX=PREFIX)
        if result.returncode == 0:
            return "pass"
        assert f"Failure in test {TEST}" in result.stdout, result.stdout[-3000:]
        return "fail"

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        return self.star.query(*statements)

    def plant(self) -> None:
        """An order line twice."""
        one = "select * from partial_marts.orders_obt order by order_line_key limit 1"
        self.execute(f"insert into partial_marts.orders_obt {one}")

    def last_build(self) -> tuple[object, ...]:
        """Whether its tests looked at everything, whether all was built, and whether all tests passed."""
        (build,) = self.execute(
            "select is_whole, is_complete, is_tested from partial_quality.builds order by built_at desc limit 1"
        )
        return build


@pytest.fixture(scope="module")
def built(star: Star) -> Iterator[Warehouse]:
    one = Warehouse(star)
    try:
        assert one.dbt("build", "--exclude-resource-type", "unit_test") == "pass"
        assert one.last_build() == (True, True, True)
        assert one.execute(NOT_ANALYZED) == [], "the next model was planned without knowing what is in them"
        yield one
    finally:
        one.execute(*(f"drop schema if exists {schema} cascade" for schema in SCHEMAS))


@pytest.fixture
def warehouse(built: Warehouse) -> Iterator[Warehouse]:
    """With an order line twice, which no landing changed; afterwards as it was."""
    built.plant()
    built.execute("create table partial_quality.kept as select * from partial_quality.builds")
    yield built
    built.execute(
        "delete from partial_marts.orders_obt where ctid in (select max(ctid) from partial_marts.orders_obt"
        " where order_line_key = (select min(order_line_key) from partial_marts.orders_obt))",
        "delete from partial_quality.builds",
        "insert into partial_quality.builds select * from partial_quality.kept",
        "drop table partial_quality.kept",
    )


def test_what_did_not_change_is_not_looked_at(warehouse: Warehouse) -> None:
    assert warehouse.dbt(*BUILD) == "pass" and warehouse.last_build() == (False, False, False)


def test_an_order_that_changed_is_looked_at_with_all_its_rows(warehouse: Warehouse) -> None:
    changed = (
        "update partial_intermediate.int_orders__bound set _loaded_at = _loaded_at {} interval '1 day' where order_number ="
        " (select order_number from partial_marts.orders_obt order by order_line_key limit 1)"
    )
    warehouse.execute(changed.format("+"))
    assert warehouse.dbt(*BUILD) == "fail" and warehouse.last_build() == (False, False, False)
    assert warehouse.dbt(*BUILD) == "fail"
    warehouse.execute(changed.format("-"))


def test_what_failed_is_looked_at_again(warehouse: Warehouse) -> None:
    warehouse.execute("update partial_quality.builds set loaded_at = loaded_at - interval '1 second'")
    assert warehouse.dbt(*BUILD) == "fail" and warehouse.last_build() == (False, False, False)
    assert warehouse.dbt(*BUILD) == "fail"


def test_everything_is_looked_at_on_request(warehouse: Warehouse) -> None:
    assert warehouse.dbt("test", "--select", TEST) == "fail"
    assert warehouse.dbt(*BUILD, "--full-refresh") == "fail" and warehouse.last_build() == (True, False, False)


def test_everything_is_looked_at_once_a_week(warehouse: Warehouse) -> None:
    """Also where tests looked at changes yesterday, or failed today when they looked at everything."""
    add = "insert into partial_quality.builds select * from later"
    warehouse.execute(
        "update partial_quality.builds set built_at = built_at - interval '8 days'",
        "create temporary table later as select * from partial_quality.builds where is_tested",
        "update later set built_at = built_at + interval '7 days', is_whole = false",
        add,
        "update later set built_at = built_at + interval '22 hours', is_whole = true, is_tested = false",
        add,
    )
    assert warehouse.dbt("build", "--exclude-resource-type", "unit_test") == "fail"
    assert warehouse.last_build() == (True, True, False), "what failed a test is looked at again"


def test_an_earlier_landing_makes_its_tables_anew(warehouse: Warehouse) -> None:
    """As after raw was made anew under a clock of the past."""
    warehouse.execute("update partial_quality.builds set loaded_at = loaded_at + interval '1 day'")
    assert warehouse.dbt(*BUILD) == "fail" and warehouse.last_build() == (True, False, False)


def test_other_code_makes_its_tables_anew_and_looks_at_everything(warehouse: Warehouse) -> None:
    warehouse.execute("update partial_quality.builds set code = 'of before'")
    assert warehouse.dbt(*BUILD) == "fail" and warehouse.last_build() == (True, False, False)
    warehouse.execute(
        "create temporary table left_behind as select * from partial_intermediate.int_orders__bound limit 1",
        "update left_behind set order_number = 1",
        "insert into partial_intermediate.int_orders__bound select * from left_behind",
    )
    assert warehouse.dbt("run", "--select", "int_orders__bound", "orders_obt") == "pass"
    assert warehouse.execute("select * from partial_intermediate.int_orders__bound where order_number = 1") == []
    assert warehouse.dbt(*BUILD) == "pass" and warehouse.last_build() == (True, False, False)
    warehouse.plant()
