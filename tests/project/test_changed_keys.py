"""In a build, tests of large tables look at what was written since they last passed, and at nothing less."""

from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT
from tests.project.conftest import Star

PREFIX = "keys"
TEST = "unique_orders_obt_order_line_key"
SCHEMAS = [
    f"{PREFIX}_{name}" for name in ("staging", "intermediate", "marts", "marts_masked", "snapshots", "seeds", "quality")
]
INCREMENTAL = {
    path.stem
    for path in (PROJECT / "models").rglob("*.sql")
    if "materialized='incremental'" in path.read_text(encoding="utf-8")
}
NOT_ANALYZED = """
select oid::regclass::text from pg_class
where relnamespace in ('keys_intermediate'::regnamespace, 'keys_marts'::regnamespace) and relkind = 'r' and relpages > 0
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
        """The rows of the last one."""
        connection = self.star.servers.postgres()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def plant_a_duplicate(self) -> None:
        self.execute(
            "insert into keys_marts.orders_obt select * from keys_marts.orders_obt order by order_line_key limit 1"
        )

    def take_it_out(self) -> None:
        self.execute(
            "delete from keys_marts.orders_obt where ctid in (select max(ctid) from keys_marts.orders_obt"
            " where order_line_key = (select min(order_line_key) from keys_marts.orders_obt))"
        )

    def last_test_was_whole(self) -> bool:
        ((whole,),) = self.execute(
            f"select is_whole from keys_quality.test_results where test_name like '{TEST}%' order by started_at desc limit 1"
        )
        return bool(whole)


@pytest.fixture(scope="module")
def warehouse(star: Star) -> Iterator[Warehouse]:
    """Built once, all tests passed; then orders_obt is written again, order by order, and not tested."""
    one = Warehouse(star)
    try:
        assert one.dbt("build", "--exclude-resource-type", "unit_test") == "pass"
        assert one.last_test_was_whole()
        assert one.execute(NOT_ANALYZED) == [], "the next model was planned without knowing what is in them"
        whole = one.execute("select distinct model_name from keys_quality.changed_keys where changed_key is null")
        assert {name for (name,) in whole} == INCREMENTAL
        one.execute("update keys_marts.orders_obt set _loaded_at = _loaded_at - interval '1 day'")
        assert one.dbt("run", "--select", "orders_obt") == "pass"
        yield one
    finally:
        one.execute(*(f"drop schema if exists {schema} cascade" for schema in SCHEMAS))


def test_the_keys_that_were_written_are_recorded(warehouse: Warehouse) -> None:
    expected = warehouse.execute("select distinct order_number from keys_marts.orders_obt order by 1")
    found = warehouse.execute(
        "select changed_key from keys_quality.changed_keys where model_name = 'orders_obt' and changed_key is not null order by 1"
    )
    assert len(found) == 326 and found == expected


def test_a_mistake_is_found_until_it_is_mended(warehouse: Warehouse) -> None:
    build = ("build", "--select", TEST)
    warehouse.plant_a_duplicate()
    assert warehouse.dbt(*build) == "fail" and not warehouse.last_test_was_whole()
    assert warehouse.dbt(*build) == "fail", "a test that failed looks at the same keys again"
    warehouse.take_it_out()
    assert warehouse.dbt(*build) == "pass" and not warehouse.last_test_was_whole()


def test_what_was_not_written_is_tested_as_a_whole_on_request_and_every_week(warehouse: Warehouse) -> None:
    build = ("build", "--select", TEST)
    warehouse.dbt(*build)
    warehouse.plant_a_duplicate()
    assert warehouse.dbt(*build) == "pass", "nothing was written since it passed"
    assert warehouse.dbt("test", "--select", TEST) == "fail" and warehouse.last_test_was_whole()
    assert warehouse.dbt(*build, "--full-refresh") == "fail" and warehouse.last_test_was_whole()
    warehouse.execute(
        "update keys_quality.test_results set started_at = started_at - interval '8 days'",
        "update keys_quality.changed_keys set built_at = built_at - interval '8 days'",
    )
    assert warehouse.dbt(*build) == "fail" and warehouse.last_test_was_whole()
    warehouse.take_it_out()


def test_a_table_that_is_made_anew_is_tested_as_a_whole(warehouse: Warehouse) -> None:
    build = ("build", "--select", TEST)
    assert warehouse.dbt(*build) == "pass"
    warehouse.execute("drop table keys_marts.orders_obt cascade")
    assert warehouse.dbt("run", "--select", "orders_obt") == "pass"
    assert warehouse.dbt(*build) == "pass" and warehouse.last_test_was_whole()
