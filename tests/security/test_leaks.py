"""Canaries: persons planted in the source, passwords wrong and right; after a run with failures of every kind, every
file that the run wrote or could have written is searched for them.

Run       a copy of the working tree, with a home, a folder for temporary files and a sandbox of its own: whatever the
          project writes, it writes there.
Allowed   the databases themselves, and the sandbox's private files with its servers' passwords.
"""

import contextlib
import dataclasses
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import home, mysql, postgres, source
from tests.conftest import PROJECT, Servers
from tests.review.conftest import Clone
from tests.security.search import Finding, Place, search, spellings


def word() -> str:
    """Letters that are nowhere else, this file included."""
    return "".join(random.SystemRandom().choices("bcdfghjklmnpqrstvwxz", k=12))


FIRST, LAST = word().capitalize(), word().capitalize()
PERSON = {
    "first name": FIRST,
    "last name": LAST,
    "company": f"{word()} Collectables",
    "phone": f"0199 {secrets.randbelow(10**8):08d}",
    "address": f"77 {word()} Street",
    "e-mail": f"{FIRST}@{LAST}.example".lower(),
    "comment": f"ask for them at the {word()}",
}
SPOILED = "0000-00-00"
"""A date no warehouse can hold: the landing keeps its text beside the raw table."""


@dataclasses.dataclass
class Printed:
    """One command of the run."""

    name: str
    code: int
    text: str


class Run:
    """The project at work on the planted data; everything printed goes into files, to be searched with the rest."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        self.clone, self.folder = clone, folder
        self.printed: dict[str, Printed] = {}
        self.wrong = {name: f"wr0ng{secrets.token_hex(10)}" for name in ("MYSQL_PASSWORD", "PGPASSWORD")}
        self.hash_key = f"k3y{secrets.token_hex(10)}"
        for name in ("home", "temporary", "printed", "work"):
            (folder / name).mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return (
            os.environ
            | self.clone.servers.environment
            | {
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder / "temporary"),
                "INGEST_WORK_FOLDER": str(self.folder / "work"),
                "INGEST_HASH_KEY": self.hash_key,
                "DBT_PROFILES_DIR": "profiles",
                "RUNTIME__LOG_LEVEL": "DEBUG",
                "DLTHUB_LOG_LEVEL": "DEBUG",
            }
        )

    def start(self, name: str, *words: str, **environment: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "printed" / f"{name}.txt").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self.clone.folder,
                env=self.environment | environment,
                stdout=output,
                stderr=output,
            )

    def __call__(self, name: str, *words: str, **environment: str) -> Printed:
        code = self.start(name, *words, **environment).wait(300)
        text = (self.folder / "printed" / f"{name}.txt").read_text(encoding="utf-8")
        self.printed[name] = Printed(name, code, text)
        return self.printed[name]

    def has_rows_on_disk(self) -> bool:
        """Whether a landing's work folder holds the planted customer at this moment."""
        with contextlib.suppress(FileNotFoundError):  # files come and go
            files = (self.folder / "work").glob("landing-*/*.csv")
            return any(PERSON["last name"].encode() in file.read_bytes() for file in files)
        return False

    def dbt(self, name: str, *words: str, **environment: str) -> Printed:
        return self(name, "dbt.cli.main", "--no-use-colors", "--debug", *words, **environment)


def plant(servers: Servers) -> None:
    """A person in every place of the source that may hold one, and a date that cannot be."""
    connection = servers.mysql(mysql.DATABASE)
    customer = (
        *(PERSON[what] for what in ("company", "last name", "first name", "phone", "address")),
        PERSON["address"][::-1],
    )
    with connection.cursor() as cursor:
        cursor.execute("set sql_mode = ''")
        cursor.execute("select min(customerNumber) from orders")
        ((number,),) = cursor.fetchall()
        cursor.execute(
            "update customers set customerName = %s, contactLastName = %s, contactFirstName = %s, phone = %s,"
            " addressLine1 = %s, addressLine2 = %s, salesRepEmployeeNumber = null where customerNumber = %s",
            (*customer, number),
        )
        cursor.execute("update orders set comments = %s where customerNumber = %s", (PERSON["comment"], number))
        cursor.execute(
            "update employees set email = %s, lastName = %s, firstName = %s order by employeeNumber limit 1",
            (PERSON["e-mail"], PERSON["last name"], PERSON["first name"]),
        )
        cursor.execute("drop table if exists spoiled")
        cursor.execute("create table spoiled (email varchar(60) primary key, born date)")
        cursor.execute("insert into spoiled values (%s, %s)", (PERSON["e-mail"], SPOILED))
    connection.close()


OF_THE_PERSON = "from {{ ref('stg_classicmodels__customers') }} where phone like '0199 %'"
QUOTES_A_VALUE = f"select cast(phone as integer) as phone {OF_THE_PERSON}"
QUOTES_A_ROW = f"select customer_name, phone, sales_rep_employee_number {OF_THE_PERSON}"
QUOTES_A_ROW_CONTRACT = """
models:
  - name: stg_row
    config: {materialized: table, contract: {enforced: true}}
    columns:
      - {name: customer_name, data_type: text}
      - {name: phone, data_type: text}
      - {name: sales_rep_employee_number, data_type: integer, constraints: [{type: not_null}]}
"""
FAILS = "select order_number, order_comments from {{ ref('stg_classicmodels__orders') }}"


@pytest.fixture(scope="module")
def run(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Everything the project does, failing in every way it can."""
    home.update_state(source=None)
    with home.locked():
        source.ensure(None, scale=1, seed=1, when_replaced=postgres.reset)
    plant(servers)
    folder = tmp_path_factory.mktemp("leaks")
    clone = Clone(folder / "project", servers)
    run = Run(clone, folder)
    query = clone.query

    # logins that are refused
    run("landing with a wrong MySQL password", "ingestion", MYSQL_PASSWORD=run.wrong["MYSQL_PASSWORD"])
    run("landing with a wrong warehouse password", "ingestion", PGPASSWORD=run.wrong["PGPASSWORD"])
    run.dbt("dbt with a wrong password", "debug", PGPASSWORD=run.wrong["PGPASSWORD"])

    # the landing: killed in the middle, then one with a value no type holds, then tables that cannot be published
    landing = run.start("landing that is killed", "ingestion", INGEST_ROWS_PER_SECOND="200")
    until = time.monotonic() + 30
    while not run.has_rows_on_disk():  # else nothing would be searched for
        assert time.monotonic() < until and landing.poll() is None, "the landing was not caught with rows on disk"
        time.sleep(0.02)
    landing.kill()
    run.printed["landing that is killed"] = Printed("", landing.wait(), "")
    run(
        "landing with a cast exception",
        "ingestion",
        "--report",
        "report.json",
        INGEST_HASH_COLUMNS="customers.postalCode",
    )
    raw = "raw_classicmodels"
    query(f"alter table {raw}.employees alter column email type varchar(10) using left(email, 10)")
    query(f"alter table {raw}.customers alter column contact_last_name type integer using 0")
    query(f"update {raw}.orders set comments = null")
    query(f"alter table {raw}.orders add constraint silence check (comments is null)")
    query(f"update {raw}._landing_state set digests = array['']")
    run("landing into tables altered by hand", "ingestion", "--full", INGEST_HASH_COLUMNS="customers.postalCode")
    query(f"alter table {raw}.orders drop constraint silence")
    query(f"drop table {raw}.employees, {raw}.customers cascade")
    run("landing", "ingestion", "--accept-drift", INGEST_HASH_COLUMNS="customers.postalCode")

    # dbt: killed in the middle, then a whole build, then what fails
    build = run.start("dbt that is killed", "dbt.cli.main", "--debug", "build")
    until = time.monotonic() + 180
    while not query("select to_regclass('staging.stg_classicmodels__customers')")[0][0]:
        assert time.monotonic() < until and build.poll() is None, "dbt was not caught in the middle"
        time.sleep(0.05)
    build.send_signal(signal.SIGKILL)
    run.printed["dbt that is killed"] = Printed("", build.wait(), "")
    run.dbt("dbt build", "build", "--exclude-resource-type", "test", "unit_test")
    staging = "models/staging/classicmodels"
    clone.write(f"{staging}/stg_value.sql", "{{ config(materialized='table') }}\n" + QUOTES_A_VALUE)
    clone.write(f"{staging}/stg_row.sql", QUOTES_A_ROW)
    clone.write(f"{staging}/stg_row.yml", QUOTES_A_ROW_CONTRACT)
    clone.write("tests/singular/assert_nobody_is_there.sql", FAILS)
    failing = ("stg_value", "stg_row", "assert_nobody_is_there")
    run.dbt("dbt build that fails", "build", "--store-failures", "--select", *failing)

    # what is made for readers
    run("docs", "sandbox", "docs")
    changed = "cast('+' || latest_contacts.phone as varchar(255)) as phone,"
    clone.edit("models/marts/dim_customers.sql", "latest_contacts.phone,", changed)
    run("review", "review", "--base", "main")
    clone.reset()
    yield run
    query("drop schema if exists review_base, review_head cascade")
    connection = servers.mysql(mysql.DATABASE)
    with connection.cursor() as cursor:
        cursor.execute("drop table spoiled")
    connection.close()
    home.update_state(source=None)
    with home.locked():
        postgres.reset()


def test_every_failure_happened(run: Run) -> None:
    """Else nothing could have leaked."""
    expected = {
        "landing with a wrong MySQL password": (3, "the login of user 'ingest' is refused. Check MYSQL_USER"),
        "landing with a wrong warehouse password": (3, "is refused. Check PGUSER"),
        "dbt with a wrong password": (1, "password authentication failed"),
        "landing that is killed": (-9, ""),
        "landing with a cast exception": (0, "Landed 9 of 9"),
        "landing into tables altered by hand": (1, "error: orders: it could not be published (SQLSTATE 23514)"),
        "landing": (0, "Landed 9 of 9"),
        "dbt that is killed": (-9, ""),
        "dbt build": (0, "Completed successfully"),
        "dbt build that fails": (1, "Done."),
        "docs": (0, "The docs are in"),
        "review": (1, "Report: "),
    }
    told = {
        name: (printed.code, expected[name][1] if expected[name][1] in printed.text else printed.text[-600:])
        for name, printed in run.printed.items()
    }
    assert told == expected
    failed = run.printed["dbt build that fails"].text
    assert "invalid input syntax for type integer" in failed and "violates not-null constraint" in failed
    assert "FAIL" in failed and "assert_nobody_is_there" in failed
    schema = run.clone.query("select nspname from pg_namespace where nspname like '%dbt_test__audit'")
    assert schema, "the rows of the failing test are kept nowhere"


def places(run: Run) -> list[Place]:
    """Where is searched, what is left out there, and why."""
    servers = home.servers_home()
    private = "mode 0600, the sandbox's own passwords: its servers and commands read them"
    left_out = {
        servers / mysql.NAME / "data": "the source itself",
        servers / postgres.NAME / "data": "the warehouse itself",
        servers / mysql.NAME / "accounts.sql": private,
        home.SANDBOX / "state.json": private,
        home.SANDBOX / "env": private,
    }
    return [Place(run.folder, {}), *(Place(path, left_out) for path in {home.SANDBOX, servers})]


def test_no_canary_is_in_any_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    state = home.read_state()
    wanted = PERSON | {f"wrong {name}": value for name, value in run.wrong.items()} | {"hash key": run.hash_key}
    wanted |= {
        f"{server} {name}": state[server][name]
        for server in (mysql.NAME, postgres.NAME)
        for name in state[server]
        if "password" in name
    }
    searched = places(run)
    found = [finding for place in searched for finding in search(place, wanted)]
    with capsys.disabled():
        for place in searched:
            print(f"\n  {place.files:,} files, {place.bytes:,} bytes searched in {place.path}", end="")
            for path, why in place.why_not.items():
                print(
                    f"\n    but not {path.relative_to(place.path)}: {why}" if path.is_relative_to(place.path) else "",
                    end="",
                )
        print()
    assert found == [], "\n".join(map(str, found))
    names = {path.name for path in run.folder.rglob("*")}
    assert {
        "dbt.log",
        "run_results.json",
        "manifest.json",
        "index.html",
        "dbt.html",
        "review.md",
        "report.json",
    } <= names
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert searched[0].files >= len(tracked.splitlines())


def test_what_is_left_out_is_private(run: Run) -> None:
    for place in places(run):
        for path in place.why_not:
            if path.exists():
                assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("form", ["plain", "gzip", "base64", "utf-16", "json", "name"])
def test_the_search_finds_what_is_there(form: str, tmp_path: Path) -> None:
    import base64
    import gzip
    import json

    text = PERSON["comment"]
    said = f"x{text}yz"
    content = {
        "plain": said.encode(),
        "gzip": gzip.compress(said.encode()),
        "base64": base64.b64encode(said.encode()),
        "utf-16": said.encode("utf-16"),
        "json": json.dumps(said).encode(),
        "name": b"",
    }[form]
    (tmp_path / (text if form == "name" else "file")).write_bytes(content)
    place = Place(tmp_path, {})
    assert [finding.what for finding in search(place, {"comment": text})] == ["comment"]
    assert list(search(Place(tmp_path, {}), {"another": PERSON["company"]})) == []
    assert spellings("short") and place.files == 1
    assert text not in str(Finding(tmp_path, "comment"))
