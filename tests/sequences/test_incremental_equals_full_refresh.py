"""After any sequence of trading days, incremental builds give the tables that a full refresh gives, row for row.

Walks through time on generated data: each sequence plays one to three days of trade and of odder things, landing and
building after each day; then the warehouse is copied, rebuilt with ``--full-refresh``, and both are compared. Every other walk builds
in the work set and publishes: the public marts are compared, too.

Every day has walks of its own. ``TEST_SEED=20261130`` plays those of that day again; TEST_SEQUENCES says how long they are.
"""

import datetime
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from ingestion.mysql import land
from landing.settings import from_environment
from sandbox import home, mysql, postgres, source
from sandbox.trade import trade
from tests import SEED
from tests.conftest import PROJECT, Servers

SEQUENCES = int(os.environ.get("TEST_SEQUENCES", "2"))
FAILED: list[tuple[int, int]] = []
"""Walks that ever found a difference, played on every day: the seed, and how many sequences it took."""
WALKS = {"first": (10 * SEED, SEQUENCES), "second": (10 * SEED + 1, SEQUENCES)}
WALKS |= {f"again {seed}": (seed, sequences) for seed, sequences in FAILED}
"""Each is for one worker of pytest-xdist."""
FIRST_DAY = datetime.date(2005, 6, 1)
CODE = ("models", "macros", "snapshots", "seeds", "tests/generic", "tests/singular")


class Walk:
    """A source that trades, a warehouse that follows by code that changes, and its copy that is rebuilt."""

    def __init__(self, servers: Servers, seed: int, code: Path):
        self.servers = servers
        self.seed = seed
        self.day = FIRST_DAY
        self.publishes = seed % 2 == 1
        self.done: list[str] = []
        self.projects: dict[str, Any] = {}
        """As dbt parsed them, by database."""
        os.environ |= servers.environment | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")}
        os.environ["DBT_SET"] = "next" if self.publishes else ""
        for name in CODE:
            shutil.copytree(PROJECT / name, code / name)
        shutil.copy(PROJECT / "dbt_project.yml", code)
        os.chdir(code)
        self.code = code
        self.land()
        self.dbt("build", "--exclude-resource-type", "unit_test")

    def land(self) -> None:
        as_of = datetime.datetime.combine(self.day, datetime.time(22), datetime.timezone.utc)
        report = land(from_environment(self.servers.environment, as_of=as_of))
        assert report.status == "ok", report

    def dbt(self, *words: str, database: str = "warehouse") -> None:
        os.environ["PGDATABASE"] = database
        target = ["--target-path", str(home.SANDBOX / f"target_{database}")]
        if database not in self.projects:
            self.projects[database] = dbtRunner().invoke(["--quiet", "parse", *target]).result
        result = dbtRunner(self.projects[database]).invoke(["--quiet", *words, *target])
        assert result.success, (self.seed, self.day, self.done[-8:])

    def source(self, *statements: str) -> None:
        connection = self.servers.mysql(mysql.DATABASE)
        with connection.cursor() as cursor:
            cursor.execute("set foreign_key_checks = 0")
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def write(self, file: str, before: str, after: str) -> None:
        """Change the code; what has been changed stays."""
        path = self.code / file
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
        self.projects.clear()

    def play_a_day(self, chance: random.Random) -> None:
        self.day += datetime.timedelta(days=chance.choice((1, 1, 1, 5, 30)))
        if chance.random() < 0.8:
            with mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as connection:
                trade(connection, self.day, chance.randrange(1000))
        for odd in chance.sample(ODDITIES, chance.randrange(4)):
            self.done.append(f"{self.day} {odd.__name__}")
            odd(self, chance)
        self.land()
        self.dbt("build", "--exclude-resource-type", "test", "unit_test")
        if self.publishes:
            connection = postgres.connect(home.read_state()[postgres.NAME], "warehouse")
            with connection, connection.cursor() as cursor:
                cursor.execute("update quality.next_builds set is_tested = is_complete")  # to save the tests' time
            connection.close()
            self.dbt("run-operation", "publish")

    def differences(self) -> list[str]:
        """Tables that differ from those of a full refresh of the same landed state."""
        connection = postgres.connect(home.read_state()[postgres.NAME], "postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("drop database if exists rebuilt with (force)")
            cursor.execute("create database rebuilt template warehouse owner elt")
        connection.close()
        self.dbt("run", "--full-refresh", database="rebuilt")
        built = ("next_intermediate", "next_marts") if self.publishes else ("intermediate", "marts")
        incremental, rebuilt = self.contents("warehouse", *built), self.contents("rebuilt", *built)
        if self.publishes:
            public = {f"next_{table}": rows for table, rows in self.contents("warehouse", "marts").items()}
            assert public == {table: rows for table, rows in incremental.items() if table.startswith("next_marts")}
        tables = {path.stem for path in (PROJECT / "models" / "marts").glob("*.sql")}
        assert tables <= {table.split(".")[1] for table in incremental} and incremental.keys() == rebuilt.keys()
        assert self.versions_of_one_landing() == []
        return [table for table, rows in incremental.items() if rows != rebuilt[table]]

    def versions_of_one_landing(self) -> list[tuple[str, int]]:
        """By snapshot: how many rows have two versions of one landing, which only a change of code can make."""
        connection = postgres.connect(home.read_state()[postgres.NAME], "warehouse")
        found = []
        with connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = 'snapshots'")
            for (name,) in cursor.fetchall():
                cursor.execute(f"select count(*) - count(distinct dbt_scd_id) from snapshots.{name}")
                ((twice,),) = cursor.fetchall()
                found += [(name, twice)] if twice else []
        connection.close()
        return found

    def contents(self, database: str, *schemas: str) -> dict[str, tuple[Any, ...]]:
        """Per table: its number of rows and a hash of all of them, whatever their order."""
        connection = postgres.connect(home.read_state()[postgres.NAME], database)
        found = {}
        with connection.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'")
            cursor.execute(
                "select schemaname || '.' || tablename from pg_tables where schemaname = any(%s)", (list(schemas),)
            )
            for (table,) in cursor.fetchall():
                cursor.execute(
                    "select count(*), md5(string_agg(line, '' order by line)) from"
                    f" (select md5(t::text) as line from {table} t) lines"
                )
                found[table] = cursor.fetchone()
        connection.close()
        return found


def a_rep_hands_over_all_accounts(walk: Walk, chance: random.Random) -> None:
    walk.source(
        "update customers set salesRepEmployeeNumber = (select max(employeeNumber) from employees)"
        f" where salesRepEmployeeNumber is not null and customerNumber % 7 = {chance.randrange(7)}"
    )


def an_employee_moves_to_another_office(walk: Walk, chance: random.Random) -> None:
    walk.source(
        f"update employees set officeCode = (select officeCode from offices order by rand({chance.randrange(99)}) limit 1)"
        f" where employeeNumber % 5 = {chance.randrange(5)}"
    )


def an_office_moves(walk: Walk, chance: random.Random) -> None:
    walk.source(
        f"update offices set city = 'City {chance.randrange(9)}', postalCode = '1{chance.randrange(9)}' limit 1"
    )


def a_customer_moves(walk: Walk, chance: random.Random) -> None:
    walk.source(
        f"update customers set city = 'Town {chance.randrange(9)}', country = 'Norway  '"
        f" where customerNumber % 11 = {chance.randrange(11)}"
    )


def a_product_changes_its_line(walk: Walk, chance: random.Random) -> None:
    walk.source(
        "update products set productLine = (select max(productLine) from productlines)"
        f" where crc32(productCode) % 13 = {chance.randrange(13)}"
    )


def an_order_arrives_before_its_customer(walk: Walk, chance: random.Random) -> None:
    order, customer = 900_000 + chance.randrange(500), 90_000 + chance.randrange(5)
    late = walk.day - datetime.timedelta(days=chance.choice((0, 0, 40, 200)))
    walk.source(
        f"replace into orders values ({order}, '{late}', '{late}', null, 'In Process', null, {customer})",
        f"replace into orderdetails select {order}, productCode, 10, 9.99, 1 from products order by productCode limit 1",
    )


def an_order_is_dated_in_the_future(walk: Walk, chance: random.Random) -> None:
    order, day = 950_000 + chance.randrange(3), walk.day + datetime.timedelta(days=chance.choice((60, 150, 400)))
    walk.source(
        f"replace into orders select {order}, '{day}', '{day}', null, 'In Process', null, min(customerNumber) from customers",
        f"replace into orderdetails select {order}, productCode, 10, 9.99, 1 from products order by productCode limit 1",
    )


def a_late_customer_arrives(walk: Walk, chance: random.Random) -> None:
    customer = 90_000 + chance.randrange(5)
    walk.source(
        f"insert ignore into customers select {customer}, 'Late & Sons', contactLastName, contactFirstName, phone,"
        " addressLine1, addressLine2, city, state, postalCode, country, salesRepEmployeeNumber, creditLimit"
        " from customers order by customerNumber limit 1"
    )


def an_order_is_deleted_with_its_lines(walk: Walk, chance: random.Random) -> None:
    walk.source(
        f"create or replace view doomed as select orderNumber from orders where orderNumber % 17 = {chance.randrange(17)}",
        "delete from orderdetails where orderNumber in (select orderNumber from doomed)",
        f"delete from orders where orderNumber % 17 = {chance.randrange(17)} and orderNumber not in"
        " (select orderNumber from orderdetails)",
        "drop view doomed",
    )


def lines_lose_their_order(walk: Walk, chance: random.Random) -> None:
    walk.source(f"delete from orders where orderNumber % 97 = {chance.randrange(97)}")


def an_order_moves_to_another_customer(walk: Walk, chance: random.Random) -> None:
    walk.source(
        "update orders set customerNumber = (select min(customerNumber) from customers)"
        f" where orderNumber % 53 = {chance.randrange(53)}"
    )


def a_customer_vanishes_and_comes_back(walk: Walk, chance: random.Random) -> None:
    walk.source(
        "create table if not exists away like customers",
        "insert ignore into customers select * from away",
        "delete from away",
        f"insert into away select * from customers where customerNumber % 19 = {chance.randrange(19)}",
        "delete from customers where customerNumber in (select customerNumber from away)",
    )


def payments_are_corrected(walk: Walk, chance: random.Random) -> None:
    walk.source(
        f"delete from payments where crc32(checkNumber) % 41 = {chance.randrange(41)}",
        f"update payments set amount = amount + 1 where crc32(checkNumber) % 23 = {chance.randrange(23)}",
    )


def a_country_is_cleaned_otherwise(walk: Walk, chance: random.Random) -> None:
    words = ["trim(country)", "upper(trim(country))", "initcap(trim(country))"]
    staging = "models/staging/classicmodels/stg_classicmodels__customers.sql"
    for word in sorted(words, key=len, reverse=True):
        walk.write(staging, word, "trim(country)")
    walk.write(staging, "trim(country)", chance.choice(words))


def a_product_line_is_cleaned_otherwise(walk: Walk, chance: random.Random) -> None:
    staging = "models/staging/classicmodels/stg_classicmodels__products.sql"
    walk.write(staging, "trim(product_line)", f"replace(trim(product_line), '{chance.choice('aeiou')}', '_')")


def a_snapshot_gains_a_column(walk: Walk, chance: random.Random) -> None:
    name = f"extra_{chance.randrange(10**6)}"
    walk.write("snapshots/snap_customers.sql", "    phone,\n", f"    phone,\n    upper(city) as {name},\n")
    walk.write("snapshots/snap_customers.yml", "        - phone\n", f"        - phone\n        - {name}\n")


ODDITIES = [
    a_rep_hands_over_all_accounts,
    an_employee_moves_to_another_office,
    an_office_moves,
    a_customer_moves,
    a_product_changes_its_line,
    an_order_arrives_before_its_customer,
    an_order_is_dated_in_the_future,
    a_late_customer_arrives,
    an_order_is_deleted_with_its_lines,
    lines_lose_their_order,
    an_order_moves_to_another_customer,
    a_customer_vanishes_and_comes_back,
    payments_are_corrected,
    a_country_is_cleaned_otherwise,
    a_product_line_is_cleaned_otherwise,
    a_snapshot_gains_a_column,
]


@pytest.fixture(scope="module")
def walk(servers: Servers, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    seed, _ = WALKS[request.param]
    home.update_state(source=None)
    with home.locked():
        source.ensure(None, scale=0.5, seed=7 + seed, when_replaced=postgres.reset)
    before = os.environ.copy()
    yield Walk(servers, seed, tmp_path_factory.mktemp("code"))
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(before)
    home.update_state(source=None)


@pytest.mark.parametrize(
    ("walk", "number"),
    [
        pytest.param(name, number, marks=pytest.mark.xdist_group(f"walk {name}"))
        for name, (_, sequences) in WALKS.items()
        for number in range(sequences)
    ],
    indirect=["walk"],
    scope="module",
)
def test_incremental_equals_full_refresh(walk: Walk, number: int) -> None:
    chance = random.Random(walk.seed + number)
    for _ in range(chance.randint(1, 3)):
        walk.play_a_day(chance)
    assert walk.differences() == [], (walk.seed, number, walk.done[-8:])
