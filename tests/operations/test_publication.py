"""Readers see all marts of one build that was tested, or all of the one before; whatever happens to the publication.

The work set is built once, by dbt with all tests. What later builds would make of it is written by SQL: that costs no
minute, and the publication reads nothing but the tables. Real builds are published in ``tests/sequences``.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sandbox import home, postgres
from tests.conftest import PROJECT, Servers
from tests.project.conftest import Star, the_star

PREFIX = "published"
PUBLICATIONS = int(os.environ.get("TEST_PUBLICATIONS", "8"))
SEED = int(os.environ.get("TEST_SEED", "1"))


STAMPED = {
    "fct_customer_balances": "_loaded_at",
    "fct_order_lines": "_loaded_at",
    "fct_order_product_lines": "_loaded_at",
    "fct_orders": "_loaded_at",
    "fct_payments": "_loaded_at",
    "metrics_by_country": "order_count",
    "metrics_by_month": "order_count",
    "metrics_by_office": "order_count",
    "metrics_by_product": "order_count",
    "ml_customer_features": "_loaded_at",
    "orders_obt": "_loaded_at",
}
"""Marts, each with a column in which a build writes its number."""
BUILD = {
    mart: "extract(epoch from _loaded_at - timestamp '2030-01-01')::integer / 3600"
    if column == "_loaded_at"
    else column
    for mart, column in STAMPED.items()
}
READ = ("fct_payments", "metrics_by_country", "metrics_by_month", "metrics_by_office", "metrics_by_product")
"""They are small, so readers look often."""


class Warehouse:
    """A work set and public marts of their own, beside those that other tests read."""

    def __init__(self, star: Star):
        self.star = star
        self.marts = sorted(path.stem for path in (PROJECT / "models" / "marts").glob("*.sql"))
        self.round = 0

    def dbt(self, *words: str, work_set: str = "next") -> "subprocess.CompletedProcess[str]":
        return self.star.dbt(*words, DBT_SCHEMA_PREFIX=PREFIX, DBT_SET=work_set)

    def publish(self) -> str:
        """What dbt says of it, or nothing where all went well."""
        result = self.dbt("run-operation", "publish")
        return "" if result.returncode == 0 else result.stdout

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.star.query(*statements)

    def build(self, *, tested: bool = True, complete: bool = True, later: str = "0") -> None:
        """As a build that changes every row of every mart would leave the work set."""
        self.round += 1
        when = f"timestamp '2030-01-01' + interval '{self.round} hours'"
        self.execute(
            *(
                f"update {PREFIX}_next_marts.{mart} set {column} = {when if column == '_loaded_at' else self.round}"
                for mart, column in STAMPED.items()
            ),
            f"update {PREFIX}_next_intermediate.int_orders__bound set _loaded_at = {when}",
            f"insert into {PREFIX}_quality.next_builds select invocation_id, clock_timestamp() at time zone 'UTC',"
            f" loaded_at + interval '{later}', code, false, true, {complete}, {tested}"
            f" from {PREFIX}_quality.next_builds where is_whole order by built_at limit 1",
        )

    def state(self, work_set: str = "") -> dict[str, str]:
        """A hash of the rows of each mart, whatever their order."""
        schema = f"{PREFIX}_{work_set}marts"
        names = {mart: ", ".join(sorted(name for (name,) in self.columns(schema, mart))) for mart in self.marts}
        return {
            mart: self.execute(
                f"select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from (select {columns} from {schema}.{mart}) t"
            )[0][0]
            for mart, columns in names.items()
        }

    def columns(self, schema: str, table: str) -> list[tuple[Any, ...]]:
        return self.execute(
            f"select attname from pg_attribute where attrelid = '{schema}.{table}'::regclass"
            " and attnum > 0 and not attisdropped order by attnum"
        )

    def seen(self) -> list[object]:
        """The builds that the public marts are of."""
        marts = " union all ".join(
            f"select distinct {build} from {PREFIX}_marts.{mart}" for mart, build in BUILD.items()
        )
        return [build for (build,) in self.execute(f"select distinct build from ({marts}) as marts (build)")]


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Star:
    return the_star(servers, dump)


@pytest.fixture(scope="module")
def built(star: Star) -> Iterator[Warehouse]:
    one = Warehouse(star)
    drop = "select 'drop schema ' || nspname || ' cascade' from pg_namespace where nspname like 'published\\_%'"
    try:
        result = one.dbt("build", "--exclude-resource-type", "unit_test")
        assert result.returncode == 0, result.stdout[-3000:]
        yield one
    finally:
        one.execute(*(statement for (statement,) in one.execute(drop)), "select 1")


@pytest.fixture
def warehouse(built: Warehouse) -> Warehouse:
    """With a build that was published."""
    built.build()
    assert built.publish() == ""
    return built


def test_a_failing_test_keeps_its_build_from_being_published(built: Warehouse) -> None:
    assert built.publish() == ""
    before = built.state()
    assert before == built.state("next_")
    offices = f"{PREFIX}_snapshots.snap_offices"
    built.execute(f"insert into {offices} select * from {offices} order by office_code limit 1")
    result = built.dbt("build", "--exclude-resource-type", "unit_test")
    assert "Failure in test unique_snap_offices_dbt_scd_id" in result.stdout, result.stdout[-3000:]
    assert "is not whole" in built.publish()
    assert built.state() == before
    built.execute(f"delete from {offices} where ctid = (select max(ctid) from {offices})")


def test_the_public_marts_are_the_work_set(warehouse: Warehouse) -> None:
    assert warehouse.state() == warehouse.state("next_")
    assert warehouse.seen() == [warehouse.round]


def test_a_changed_description_is_published(warehouse: Warehouse) -> None:
    mart = f"{PREFIX}_marts.dim_offices"
    described = f"select obj_description('{mart}'::regclass), col_description('{mart}'::regclass, 1)"
    before = warehouse.execute(described)
    warehouse.execute(f"comment on table {mart} is 'x'; comment on column {mart}.office_key is 'x'")
    warehouse.build()
    assert warehouse.publish() == ""
    assert warehouse.execute(described) == before != [("x", "x")]


@pytest.mark.parametrize(
    ("build", "why"),
    [
        ({"tested": False}, "a test of the last build of the work set failed"),
        ({"tested": False, "complete": False}, "the last build of the work set is not whole"),
        ({"later": "-1 hour"}, "another landing landed meanwhile"),
    ],
)
def test_what_did_not_pass_is_not_published(warehouse: Warehouse, build: dict[str, Any], why: str) -> None:
    before = warehouse.state()
    warehouse.build(**build)
    said = warehouse.publish()
    assert f"Nothing was published: {why}" in " ".join(said.split())
    assert warehouse.state() == before


def test_nothing_is_published_without_a_work_set(warehouse: Warehouse) -> None:
    result = warehouse.dbt("run-operation", "publish", work_set="")
    assert result.returncode != 0 and "Nothing is published without DBT_SET=next" in result.stdout


class Reader(threading.Thread):
    """Looks all the time: single statements, and transactions of several."""

    def __init__(self, warehouse: Warehouse, *, repeatable: bool):
        super().__init__()
        self.warehouse, self.repeatable = warehouse, repeatable
        self.looks, self.builds, self.torn, self.ended = 0, set[object](), 0, threading.Event()

    def run(self) -> None:
        connection = self.warehouse.star.servers.postgres()
        connection.autocommit = not self.repeatable
        if self.repeatable:
            connection.set_session("repeatable read")
        newest = [f"select max({BUILD[mart]}) from {PREFIX}_marts.{mart}" for mart in READ]
        single = f"select {', '.join(f'({statement})' for statement in newest)}"
        with connection.cursor() as cursor:
            while not self.ended.is_set():
                seen: set[object] = set()
                for statement in newest if self.repeatable else [single]:
                    cursor.execute(statement)
                    seen |= set(cursor.fetchone())
                connection.commit()
                self.looks += 1
                self.torn += len(seen) != 1
                self.builds |= seen
        connection.close()


def test_no_reader_sees_marts_of_two_builds(warehouse: Warehouse) -> None:
    chance, wrong = random.Random(SEED), 0
    readers = [Reader(warehouse, repeatable=False), Reader(warehouse, repeatable=True)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(PUBLICATIONS):
            before = warehouse.seen()
            tested = chance.random() < 0.7
            warehouse.build(tested=tested)
            assert (warehouse.publish() == "") == tested
            assert warehouse.seen() == ([warehouse.round] if tested else before)
            wrong += not tested
    finally:
        for reader in readers:
            reader.ended.set()
        for reader in readers:
            reader.join()
    for reader in readers:
        assert reader.torn == 0, f"{reader.torn} of {reader.looks} looks"
        assert len(reader.builds) > (PUBLICATIONS - wrong) // 2, "the readers did not look in between"
    print(f"looks: {[reader.looks for reader in readers]}, refused: {wrong} of {PUBLICATIONS}")


HELD = sorted(STAMPED) if os.environ.get("NIGHTLY") else ["fct_customer_balances", "orders_obt"]


@pytest.mark.parametrize("mart", HELD)
def test_a_publication_that_is_killed_leaves_the_build_before(warehouse: Warehouse, mart: str) -> None:
    """Held at one mart by a lock, killed there; the next publication ends well."""
    before = warehouse.state()
    warehouse.build()
    connection = warehouse.star.servers.postgres()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(f"lock table {PREFIX}_marts.{mart} in share row exclusive mode")
        command = [sys.executable, "-m", "dbt.cli.main", "run-operation", "publish"]
        command += ["--target-path", str(warehouse.star.target / PREFIX)]
        environment = warehouse.star.environment | {"DBT_SCHEMA_PREFIX": PREFIX, "DBT_SET": "next"}
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        waiting = (
            f"select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%{PREFIX}_marts%'"
        )
        until = time.monotonic() + 60
        while warehouse.execute(waiting) == [(0,)] and time.monotonic() < until:
            time.sleep(0.05)
        assert warehouse.execute(waiting) == [(1,)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        connection.commit()
    connection.close()
    assert warehouse.state() == before
    assert warehouse.publish() == ""
    assert warehouse.state() == warehouse.state("next_") != before


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("alter table {} add column extra integer", "alter table {} drop column extra"),
        ("alter table {} alter column country type text", "alter table {} alter column country type varchar(64)"),
    ],
)
def test_a_changed_mart_is_published_and_others_views_stay(warehouse: Warehouse, change: str, back: str) -> None:
    """The structure follows the model. A view of somebody else stays, or keeps the publication from dropping its column."""
    built, public = f"{PREFIX}_next_marts.dim_offices", f"{PREFIX}_marts.dim_offices"
    for statement in (change, back):
        warehouse.execute(f"create or replace view {PREFIX}_marts.of_somebody as select city from {public}")
        warehouse.execute(statement.format(built))
        warehouse.build()
        said = warehouse.publish()
        if said:
            assert "of_somebody" in said
            assert warehouse.state() != warehouse.state("next_")
            warehouse.execute(f"drop view {PREFIX}_marts.of_somebody")
            assert warehouse.publish() == ""
        else:
            assert warehouse.execute(f"select count(*) > 0 from {PREFIX}_marts.of_somebody") == [(True,)]
        assert warehouse.state() == warehouse.state("next_")
        assert warehouse.columns(*public.split(".")) == warehouse.columns(*built.split("."))
    warehouse.execute(f"drop view if exists {PREFIX}_marts.of_somebody")


def test_readers_have_their_rights_and_none_enters_the_work_set(warehouse: Warehouse) -> None:
    def says(role: str, statement: str) -> str:
        given = warehouse.star.servers.environment
        connection = psycopg2.connect(
            host=given["PGHOST"], port=given["PGPORT"], dbname=given["PGDATABASE"], user=role,
            password=home.read_state()[postgres.NAME]["roles"][role],
        )  # fmt: skip
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return str(cursor.fetchall()[0][0])
        except psycopg2.Error as error:
            return str(error.pgcode)
        finally:
            connection.close()

    name = f"select customer_name from {PREFIX}_{{}}.dim_customers where customer_number = 103 limit 1"
    assert says("analyst", name.format("marts_masked")) == "A****"
    assert says("pii_reader", name.format("marts")) == "Atelier graphique"
    own = f"set app.customer_number = '103'; select count(distinct order_number) from {PREFIX}_marts.fct_orders"
    assert says("service_embedded", own) == "3"
    for role in ("analyst", "pii_reader", "service_embedded"):
        assert says(role, name.format("next_marts")) == "42501"
    assert says("analyst", name.format("marts")) == "42501"


def test_a_build_in_place_says_that_it_passes_the_gate_by(warehouse: Warehouse) -> None:
    result = warehouse.dbt("run", "--select", "dim_dates", work_set="")
    assert "This build writes the public marts directly" in result.stdout
    warehouse.build()
    assert warehouse.publish() == ""
    (whole,) = warehouse.execute(
        f"select is_whole from {PREFIX}_quality.publications order by published_at desc limit 1"
    )
    assert whole == (True,), "what the build in place wrote was not compared"
    assert warehouse.state() == warehouse.state("next_")
