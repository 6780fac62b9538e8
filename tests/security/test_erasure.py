"""A person is erased: no table and no file has them, whatever the source still says, and all totals are as before.

Every personal column of one customer gets a word of its own that nothing else holds; readers of their own look for it.
"""

import copy
import dataclasses
import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from landing.settings import from_environment
from privacy import __main__ as privacy
from privacy import erasure
from sandbox import home, mysql, postgres, source
from tests.conftest import PROJECT, Servers
from tests.project.conftest import Star

WORD = f"canary{secrets.token_hex(4)}"
HEX = WORD.encode().hex()
CUSTOMER = "103"
COLUMNS = ("customerName", "contactLastName", "contactFirstName", "phone", "addressLine1", "addressLine2")
TOTALS = """
    select 'gross', sum(gross_sales_amount), sum(net_sales_amount), sum(margin_amount) from marts.fct_order_lines
    union all select 'lines of the customer', count(*), sum(gross_sales_amount), count(distinct customer_key)
    from marts.fct_order_lines where customer_key in (select customer_key from marts.dim_customers where customer_number = 103)
    union all select 'paid', count(*), sum(payment_amount), count(distinct customer_key) from marts.fct_payments
    union all select 'balance', count(*), sum(outstanding_amount), count(distinct customer_key) from marts.fct_customer_balances
    union all select 'history', count(*), sum(credit_limit), count(distinct customer_key) from marts.dim_customers
    union all select country, count(*), sum(gross_sales_amount), count(distinct customer_key) from marts.fct_order_lines
    join marts.dim_locations on location_key = customer_location_key group by country
    order by 1
"""


@dataclasses.dataclass
class Shop(Star):
    """The star schema of the real data with one customer's words in it, and a project folder that may be emptied."""

    folder: Path
    runner: Any = None
    totals: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "ERASURE_KEY": home.read_state()[postgres.NAME]["erasure_key"],
            "INGEST_WORK_FOLDER": str(self.folder / "work"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_TARGET_PATH": str(self.target),
        }

    def source(self, *statements: str) -> None:
        connection = self.servers.mysql(mysql.DATABASE)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def cli(self, module: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(PROJECT)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def landed(self) -> None:
        result = self.cli("ingestion", "--quiet")
        assert result.returncode == 0, result.stdout + result.stderr

    def built(self, *words: str) -> None:
        """dbt in this process, parsed once: each start of its own takes seconds."""
        options = ["--quiet", "--target-path", str(self.target), "--log-path", str(self.folder / "logs")]
        result = self.runner.invoke([*words, *options, "--project-dir", str(PROJECT)])
        failed = [f"{one.node.name}: {one.message}" for one in result.result if str(one.status) in ("error", "fail")]
        assert result.success, failed or result.exception

    def rows(self) -> list[tuple[Any, ...]]:
        """Sums of what was changed in place: builds, incremental and full, must not make anything else of it."""
        tables = ("marts.orders_obt", "marts.dim_customers", "snapshots.snap_customers")
        return [self.query(f"select count(*), sum(hashtext(t::text)::bigint) from {table} t")[0] for table in tables]

    def found(self) -> list[str]:
        return sorted([*self.in_tables(), *self.in_files(), *self.in_data_files()])

    def in_tables(self) -> Iterator[str]:
        """Tables and views of every schema that hold the word, as text or as its bytes in hex; statistics as well."""
        relations = self.query(
            "select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where relkind in ('r', 'p', 'm', 'v', 'f') and nspname not in ('pg_catalog', 'information_schema')"
            " and nspname !~ '^pg_(toast|temp)'"
        )
        known = {"raw_classicmodels.customers", "snapshots.snap_customers", "marts.dim_customers", "marts.orders_obt"}
        assert known <= {relation for (relation,) in relations}
        for (relation,) in [*relations, ("pg_catalog.pg_stats",)]:
            for word in (WORD, HEX):
                if self.query(f"select 1 from {relation} t where t::text ilike '%{word}%' limit 1"):
                    yield f"{relation}: {word}"

    def in_files(self) -> Iterator[str]:
        """Files of the project and of its folder for this test; the servers' data is looked at elsewhere."""
        skipped = {
            PROJECT / ".venv",
            PROJECT / ".git",
            *(home.servers_home() / name for name in (mysql.NAME, postgres.NAME)),
        }
        read = 0
        for top in (PROJECT, home.SANDBOX, self.folder):
            for folder, folders, names in os.walk(top):
                folders[:] = [
                    name for name in folders if Path(folder, name) not in skipped and name not in ("mysql", "postgres")
                ]
                for name in names:
                    read += 1
                    content = Path(folder, name).read_bytes()
                    if WORD.encode() in content or HEX.encode() in content:
                        yield str(Path(folder, name))
        tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        assert read >= len(tracked.splitlines())

    def in_data_files(self) -> Iterator[str]:
        """Files of the warehouse's tables, dead rows included; its write-ahead log is left out."""
        admin = postgres.connect(home.read_state()[postgres.NAME])
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("checkpoint")
            cursor.execute("select oid from pg_database where datname = 'warehouse'")
            (oid,) = cursor.fetchone()
            cursor.execute("select pg_relation_filepath('raw_classicmodels.customers')")
            (customers,) = cursor.fetchone()
        data = home.servers_home() / postgres.NAME / "data"
        files = {path.relative_to(data): path.read_bytes() for path in (data / "base" / str(oid)).iterdir()}
        for path, content in files.items():
            if WORD.encode() in content or HEX.encode() in content:
                with admin.cursor() as cursor:
                    cursor.execute("select pg_filenode_relation(0, %s)::text", (path.name.split(".")[0].split("_")[0],))
                    yield f"{path}: {cursor.fetchone()[0]}"
        admin.close()
        assert b"Signal Gift Stores" in files[Path(customers)]  # another customer: what is there is seen


@pytest.fixture(scope="module")
def shop(servers: Servers, dump: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two landings and builds with the words in them, the second with other words: history has two versions."""
    home.update_state(source=None)
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    folder = tmp_path_factory.mktemp("project")
    (folder / "work").mkdir()
    shop = Shop(servers, folder / "target", folder)
    monkeypatch = pytest.MonkeyPatch()
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)
    parsed: Any = dbtRunner().invoke(["--quiet", "parse", "--project-dir", str(PROJECT)]).result
    shop.runner = dbtRunner(parsed)
    names = ", ".join(f"{column} = '{WORD} {column} one'" for column in COLUMNS)
    shop.source(
        f"update customers set {names} where customerNumber = {CUSTOMER}",
        f"update orders set comments = '{WORD} comment' where customerNumber = {CUSTOMER}",
    )
    shop.landed()
    shop.built("build", "--select", "+snap_customers", "--exclude-resource-type", "test", "unit_test")
    names = ", ".join(f"{column} = '{WORD} {column} two'" for column in COLUMNS)
    shop.source(
        f"update customers set {names}, creditLimit = creditLimit + 1 where customerNumber = {CUSTOMER}",
        f"update customers set contactFirstName = concat('{WORD} first', char(0)) where customerNumber = {CUSTOMER}",
        f"update orders set comments = concat('{WORD} comment', char(0)) where customerNumber = {CUSTOMER} limit 1",
    )
    shop.landed()
    shop.built("build", "--exclude-resource-type", "test", "unit_test")
    shop.totals = shop.query(TOTALS)
    yield shop
    monkeypatch.undo()
    home.update_state(source=None)


def plant(shop: Shop) -> None:
    """What failures, reviews and landings that were killed leave behind."""
    for name in ("logs/dbt.log", "target/run_results.json", "reports/review.md", "docs/site/index.html"):
        path = shop.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"Failing row contains (103, {WORD})")
    left = shop.folder / "work" / f"{from_environment(shop.environment).work_prefix}killed"
    left.mkdir()
    (left / "rows.csv").write_text(f"103,{WORD}\n")
    connection = shop.servers.postgres()
    with connection.cursor() as cursor:
        for schema in ("landing_classicmodels", "review_head_marts"):
            cursor.execute(f"create schema {schema}")
            cursor.execute(f"create table {schema}.dim_customers as select * from marts.dim_customers")
        cursor.execute("comment on schema review_head_marts is 'Made by make review: head'")
    connection.close()


def test_nothing_of_a_person_who_was_erased_is_left_and_no_landing_brings_them_back(shop: Shop) -> None:
    plant(shop)
    before = shop.found()
    for place in (
        *(
            "raw_classicmodels.customers:",
            "raw_classicmodels.orders:",
            "_landing_exceptions:",
            "snapshots.snap_customers:",
        ),
        *("marts.dim_customers:", "marts.orders_obt:", "review_head_marts.dim_customers:", "landing_classicmodels."),
        *("pg_stats:", "logs/dbt.log", "rows.csv", "reports/review.md", "docs/site/index.html", "run_results.json"),
    ):
        assert any(place in found for found in before), (place, before)
    assert [row for row in before if HEX in row]

    result = shop.cli("privacy", "erase", "customer", CUSTOMER)
    assert result.returncode == 0, result.stdout + result.stderr
    assert WORD not in result.stdout + result.stderr
    assert shop.found() == []
    assert shop.query(TOTALS) == shop.totals

    in_place = shop.rows()
    shop.landed()
    shop.built("build", "--exclude", "test_type:unit")
    assert shop.found() == []
    assert shop.query(TOTALS) == shop.totals
    assert shop.rows() == in_place
    shop.built("run", "--full-refresh", "--select", "orders_obt")
    assert shop.rows() == in_place
    versions = "select version_number, customer_name, credit_limit from marts.dim_customers where customer_number = 103"
    assert sorted(shop.query(versions))[0][:2] == (1, "erased")
    assert len(shop.query(versions)) == 2


def test_the_record_says_what_was_done_and_names_nobody(shop: Shop) -> None:
    rows = shop.query("select subject, place, row_count, erased_by, finished_at from erasure_classicmodels.log")
    places = {place: count for _, place, count, _, _ in rows}
    assert places["raw_classicmodels.orders"] == 3
    assert places["snapshots.snap_customers"] == places["marts.dim_customers"] == 2
    assert places["raw_classicmodels._landing_exceptions"] == 2
    assert {(subject, by) for subject, _, _, by, _ in rows} == {("customer", shop.environment["PGUSER"])}
    assert all(finished for *_, finished in rows)
    for table in ("log", "suppressions", "erased_columns"):
        assert not shop.query(f"select 1 from erasure_classicmodels.{table} t where t::text ~ '[(,\"]{CUSTOMER}[),\"]'")


@pytest.mark.parametrize("key", ["", "another"])
def test_without_its_key_a_landing_refuses(shop: Shop, key: str) -> None:
    result = shop.cli("ingestion", "--quiet", ERASURE_KEY=key)
    assert result.returncode == 2
    assert "ERASURE_KEY" in result.stderr


@pytest.fixture(scope="module")
def compiled(shop: Shop) -> dict[str, Any]:
    shop.built("compile", "--exclude", "resource_type:test", "resource_type:unit_test")
    content: dict[str, Any] = json.loads((shop.target / "manifest.json").read_text(encoding="utf-8"))
    return content


class Erase:
    """The command in this process, on a project that is compiled once for all: dbt takes 8 seconds each time."""

    def __init__(self, compiled: dict[str, Any]):
        self.compiled = compiled

    def __call__(self, *words: str) -> int:
        return privacy.main(["erase", "customer", *words])


@pytest.fixture
def erase(shop: Shop, compiled: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Erase:
    monkeypatch.chdir(shop.folder)
    erase = Erase(compiled)
    monkeypatch.setattr(erasure, "_compiled", lambda: erase.compiled)
    return erase


def test_a_second_run_changes_nothing_and_says_so(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    everything = "select string_agg(t::text, '' order by t::text) from {} t"
    tables = ("erasure_classicmodels.log", "raw_classicmodels.customers", "snapshots.snap_customers")
    before = [shop.query(everything.format(table)) for table in tables]
    assert erase(CUSTOMER) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert [shop.query(everything.format(table)) for table in tables] == before
    assert (shop.folder / "logs" / "dbt.log").exists()


def test_nobody_of_that_key_is_an_error(erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    assert erase("99999") == 2
    assert capsys.readouterr().err == "error: There is no customer 99999 in the warehouse. Nothing was changed.\n"


def test_a_dry_run_counts_and_changes_nothing(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    assert erase("112", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "nothing was changed" in said
    assert said.split("marts.orders_obt")[1].split()[0] == "29"
    assert shop.query("select customer_name from marts.dim_customers where customer_number = 112") == [
        ("Signal Gift Stores",)
    ]
    assert shop.query("select count(*) from erasure_classicmodels.suppressions") == [(1,)]


def test_a_run_that_was_killed_is_finished_by_the_next(shop: Shop, erase: Erase) -> None:
    """Killed after the transaction, while it waits to rewrite a table that somebody reads."""
    connection = shop.servers.postgres()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from raw_classicmodels._landing_exceptions")
        process = multiprocessing.get_context("fork").Process(target=erase, args=("114",))
        process.start()
        listed = "select count(*) from erasure_classicmodels.suppressions"
        until = time.monotonic() + 20
        while shop.query(listed) == [(1,)] and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
        process.join()
    connection.close()
    unfinished = "select count(*) > 0 from erasure_classicmodels.log where finished_at is null"
    assert shop.query(unfinished) == [(True,)]
    assert erase("114") == 0
    assert shop.query(unfinished) == [(False,)]


def test_a_copy_that_somebody_made_is_named(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    connection = shop.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("create schema mine")
        cursor.execute("create table mine.letters as select phone from marts.dim_customers")
        landed = "raw_classicmodels.customers_2004"  # as the landing makes it of a copy in MySQL
        cursor.execute(f"create table {landed} as select customer_name from raw_classicmodels.customers")
        assert erase("119") == 1
        said = capsys.readouterr().out
        assert "mine.letters" in said and landed in said
        cursor.execute(f"drop schema mine cascade; drop table {landed}")
    connection.close()


def test_a_value_is_found_under_whatever_name(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    """In a column of another name, within a text, in the place of a view; and later, when the values are gone."""
    connection = shop.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("create schema theirs")
        cursor.execute("create table theirs.list as select upper(phone) as x from marts.dim_customers")
        cursor.execute(
            "create materialized view theirs.notes as select json_build_object('n', customer_name) as x"
            " from marts.dim_customers where customer_number = 125"
        )
        cursor.execute(
            "create table theirs.others as select customer_name as x from marts.dim_customers"
            " where customer_number <> 125"
        )
        cursor.execute("create table theirs.dashes as select '-'::text as x")
        try:
            assert erase("125", "--dry-run") == erase("125") == 1
            said = capsys.readouterr().out
            assert "theirs.list has texts of this person" in said and "theirs.notes has texts" in said
            assert "theirs.others" not in said and "theirs.dashes" not in said
            cursor.execute("drop materialized view theirs.notes")
            assert erase("125") == 1
            assert "theirs.list has texts of this person" in capsys.readouterr().out
            cursor.execute("drop table theirs.list")
            assert erase("125") == 0
        finally:
            cursor.execute("drop schema theirs cascade")
    connection.close()
    hashes = "^[(][0-9a-f]{64},[0-9a-f]{64}[)]$"
    assert shop.query(f"select bool_and(t::text ~ '{hashes}') from erasure_classicmodels.erased_values t") == [(True,)]


def test_a_table_in_the_place_of_a_view_is_named(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    view = "staging.stg_classicmodels__customers"
    connection = shop.servers.postgres()
    connection.autocommit = False
    with connection.cursor() as cursor:
        ((definition,),) = shop.query(f"select pg_get_viewdef('{view}'::regclass)")
        cursor.execute(f"alter view {view} rename to was_a_view")
        cursor.execute(f"create table {view} as {definition}")
        connection.commit()
        try:
            assert erase("128") == 1
            assert view in capsys.readouterr().out
        finally:
            cursor.execute(f"drop table {view}; alter view staging.was_a_view rename to stg_classicmodels__customers")
            connection.commit()
    connection.close()


def test_rows_that_a_test_of_dbt_stored_go(shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]) -> None:
    test = next(
        node for node in erase.compiled["nodes"].values() if node["resource_type"] == "test" and node.get("alias")
    )
    stored = f"{test['schema']}.{test['alias']}"
    assert test["schema"].endswith("dbt_test__audit")
    connection = shop.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(f"create schema if not exists {test['schema']}")
        cursor.execute(f"create table {stored} as select customer_name from raw_classicmodels.customers")
        assert erase("129") == 0
        assert shop.query(f"select to_regclass('{stored}')") == [(None,)]
        assert f"{test['schema']} " in capsys.readouterr().out
    connection.close()


def test_what_is_built_to_be_published_is_erased_too(
    shop: Shop, erase: Erase, capsys: pytest.CaptureFixture[str]
) -> None:
    named = "select count(*) from next_marts.dim_customers where customer_name like '%Mini Creations%'"
    connection = shop.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("create schema next_marts; create table next_marts.dim_customers as table marts.dim_customers")
        assert shop.query(named) == [(1,)]
        assert erase("320") == 0, capsys.readouterr()
        assert shop.query(named) == [(0,)]
        assert "next_marts.dim_customers " in capsys.readouterr().out
        cursor.execute("drop schema next_marts cascade")
    connection.close()


def test_a_column_that_is_classified_later_goes_for_all_on_the_list(
    shop: Shop, erase: Erase, compiled: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = copy.deepcopy(compiled)
    del earlier["sources"]["source.classicmodels.classicmodels.customers"]["columns"]["phone"]
    phone = "select phone from raw_classicmodels.customers where customer_number = 121"
    erase.compiled = earlier
    assert erase("121") == 0
    erase.compiled = compiled
    assert shop.query(phone) == [("07-98 9555",)]
    assert erase("--again") == 0
    assert "on the list: erased" in capsys.readouterr().out
    assert shop.query(phone) == [("erased",)]
    shop.landed()
    assert shop.query(phone) == [("erased",)]
    assert shop.found() == []


def test_what_cannot_be_erased_is_said_before_anything_is_changed(
    shop: Shop,
    erase: Erase,
    compiled: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stricter = copy.deepcopy(compiled)
    columns = stricter["sources"]["source.classicmodels.classicmodels.payments"]["columns"]
    columns["check_number"]["config"]["meta"] = {"pii": "direct"}
    erase.compiled = stricter
    assert erase("124") == 2
    assert "fct_payments holds personal data" in capsys.readouterr().err
    for uid in ("model.classicmodels.fct_payments", "model.classicmodels.stg_classicmodels__landing_deletions"):
        stricter["nodes"][uid]["columns"]["check_number"]["config"]["meta"] = {"pii": False}
    stricter["nodes"]["model.classicmodels.fct_payments"]["columns"]["payment_key"]["config"]["meta"] = {"pii": False}
    assert erase("124") == 2
    assert "payments.check_number is part of the table's key" in capsys.readouterr().err
    assert shop.query("select customer_name from marts.dim_customers where customer_number = 124") != [("erased",)]
