"""Twelve incidents, made for real: each raises its alert at two sinks, and its runbook's commands end it.

The tests are one day, in order. Incidents of the landing are each repaired before the next is made, so the first night that
lands says that all of them are over. The project is a copy, with logs, pages and schemas of its own on the shared servers.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landing.settings import from_environment
from landing.warehouse.postgres import locked_session
from operations import problems
from sandbox import home, mysql, postgres
from sandbox.generate import generate
from tests.catalog.browser import Browser, executable
from tests.conftest import PROJECT, Servers
from tests.operations.sinks import Sinks, sinks
from tests.security.wire import Authority

DATABASE = PREFIX = "gameday"
CANARY = "Zwetschgenkuchen"
"""Words of a customer; no file or message of the night may have them."""
PROGRAM = [sys.executable, "-m", "operations"]
RUNBOOKS = (PROJECT / "docs" / "runbooks.md").read_text(encoding="utf-8")
ANOTHER = "another word"
FOLLOWS = {"INGEST_BINLOG": "true"}


@dataclasses.dataclass
class House:
    """The copied project, its source, and where its alerts arrive."""

    folder: Path
    servers: Servers
    sinks: Sinks
    authority: Authority
    environment: dict[str, str] = dataclasses.field(repr=False)
    texts: list[str] = dataclasses.field(default_factory=list)
    begun: list["subprocess.Popen[bytes]"] = dataclasses.field(default_factory=list)

    def call(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def night(self, **environment: str) -> tuple[int, list[str]]:
        """The exit code, and what the alerts said: their titles."""
        ended = self.call("night", **environment)
        self.texts.append(ended.stdout + ended.stderr)
        return ended.returncode, self.told()

    def ingest(self) -> int:
        words = [sys.executable, "-m", "ingestion", "--quiet"]
        return subprocess.run(
            words, cwd=self.folder, env=self.environment | FOLLOWS, stdout=subprocess.DEVNULL, check=False
        ).returncode

    def comes(self, query: str, value: int, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.warehouse(query) == [(value,)]:
                return True
            time.sleep(0.2)
        return False

    def told(self) -> list[str]:
        """The titles of the alerts since the last look. Each has what its reader needs."""
        took = self.sinks.take()
        for title, text in took:
            self.texts.append(text)
            if "over: " in title:
                assert re.match(r"It is over: .+\nIt began 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.", text), text
                continue
            said = dict(line.split(": ", 1) for line in text.splitlines())
            assert list(said) == ["What", "Data", "For whom", "First", "Log"], text
            anchor = said["First"].removeprefix("docs/runbooks.md#")
            assert re.search(rf"^## {anchor.replace('-', ' ')}$", RUNBOOKS, re.MULTILINE | re.IGNORECASE), anchor
            assert said["Log"] == "none" or Path(said["Log"].split(":", 1)[1]).exists()
        return [title.removeprefix("night: ") for title, _ in took]

    def open(self) -> list[str]:
        """Incidents that are not over."""
        file = self.folder / "logs" / "night" / "incidents.json"
        found = json.loads(file.read_text(encoding="utf-8"))
        return [incident["runbook"].replace("-", " ") for incident in found if not incident.get("until")]

    def begin(self, step: str, **environment: str) -> "subprocess.Popen[bytes]":
        """A night that has come to this step."""
        before = set(self.records())
        process = subprocess.Popen(
            [*PROGRAM, "night"],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.begun.append(process)
        for _ in range(1200):
            for name in set(self.records()) - before:
                if any(found["name"] == step for found in self.records()[name]["steps"]):
                    return process
            assert process.poll() is None
            time.sleep(0.1)
        raise AssertionError(f"it never came to {step}")

    def records(self) -> dict[str, dict[str, Any]]:
        files = sorted((self.folder / "logs" / "night").glob("2*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    @property
    def last(self) -> dict[str, Any]:
        return list(self.records().values())[-1]

    def source(self, *statements: str) -> None:
        connection = self.servers.mysql(DATABASE)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        return self.servers.query(sql)

    def published(self) -> list[tuple[Any, ...]]:
        return self.warehouse(
            f"select count(*), sum(quantity_ordered), max(_loaded_at) from {PREFIX}_marts.fct_order_lines"
        )

    def mysql_with_certificate(self, ends: datetime.timedelta) -> None:
        folder, state = home.servers_home() / mysql.NAME, home.read_state()[mysql.NAME]
        files = []
        for file in self.authority.server("127.0.0.1", ends=ends):
            files.append(folder / file.name)
            shutil.copy(file, files[-1])
            if account := home.server_account():
                os.chown(files[-1], pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        mysql.launch(folder, state, f"--ssl-cert={files[0]}", f"--ssl-key={files[1]}")


@pytest.fixture(scope="module")
def house(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if os.environ.get("TEST_MYSQL_HOST"):
        pytest.skip("the MySQL of TEST_MYSQL_HOST cannot be stopped from here")
    folder = tmp_path_factory.mktemp("house")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (
            (PROJECT / name).is_file()
            and not name.startswith("tests/")
            or name.startswith(("tests/generic", "tests/singular"))
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, folder / name)
    with servers.mysql() as connection, connection.cursor() as cursor:
        cursor.execute(f"drop database if exists {DATABASE}")
        cursor.execute(f"create database {DATABASE} character set utf8mb4")
        cursor.execute(f"grant select on {DATABASE}.* to {servers.account}")
        connection.select_db(DATABASE)
        generate(connection, scale=0.1, seed=1)
        cursor.execute("update customers set contactLastName = %s", (CANARY,))
        cursor.execute("update orders set comments = %s", (CANARY,))
    with sinks() as sink:
        own = {name: value for name, value in os.environ.items() if name != "SANDBOX_FOLDER"}
        names = {"MYSQL_DATABASE": DATABASE, "DBT_SCHEMA_PREFIX": PREFIX, "ALERT_URLS": sink.urls}
        quick = {"NIGHT_RETRIES": "0", "NIGHT_PAGES": "false", "INGEST_LOCK_WAIT_SECONDS": "5"}
        environment = own | servers.environment | servers.logins | names | quick
        house = House(folder, servers, sink, Authority(folder / "authority"), environment)
        yield house
        for process in house.begun:  # a test that failed may have left one
            process.kill()
            process.wait()
    mysql.stop()
    sandbox_up()
    with servers.mysql() as connection, connection.cursor() as cursor:
        cursor.execute(f"drop database {DATABASE}")
    connection = servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(f"select nspname from pg_namespace where nspname ~ '^{PREFIX}_|_{DATABASE}$'")
        for (schema,) in cursor.fetchall():
            cursor.execute(f"drop schema {schema} cascade")
    connection.close()


def sandbox_up() -> None:
    mysql.start()
    postgres.start()


def test_two_runs_at_once(house: House) -> None:
    """The first is a good night, with all its pages; the second leaves at once."""
    first = house.begin("land", NIGHT_PAGES="true")
    assert house.night() == (4, ["two runs at once"])
    assert first.wait(timeout=900) == 0, house.last
    assert house.told() == ["over: two runs at once"]
    run = next(run for run in house.records().values() if run["status"] == "published")
    steps = ["land", "build", "publish", "freshness", "docs", "dashboards"]
    assert [(step["name"], step["status"]) for step in run["steps"]] == [(name, "ok") for name in steps]
    assert house.warehouse(f"select count(*) from {PREFIX}_marts.fct_orders") > [(0,)]


def test_a_run_is_recorded(house: House) -> None:
    """In the warehouse as in its file, without colours in its log."""
    run = house.last if house.last["status"] == "published" else list(house.records().values())[0]
    (row,) = house.warehouse(
        f"select run_id, status, exit_code, row_count from {PREFIX}_quality.runs where is_published"
    )
    assert row == (run["run_id"], "published", 0, run["rows"]) and run["rows"] > 300
    steps = house.warehouse(f"select step_name, status from {PREFIX}_quality.run_steps order by step_number")
    assert steps == [(step["name"], step["status"]) for step in run["steps"]]
    models = house.warehouse(f"select count(*), count(distinct model_name) from {PREFIX}_quality.run_models")
    assert models == [(len(run["models"]), len(run["models"]))] and len(run["models"]) > 50
    assert sum(sum(counts.values()) for counts in run["tests"].values()) > 100
    log = (house.folder / "logs" / "night" / f"{run['run_id']}.log").read_text(encoding="utf-8")
    assert "PASS=" in log and "\x1b" not in log


def test_the_wrong_password(house: House) -> None:
    assert house.night(MYSQL_PASSWORD=ANOTHER, NIGHT_RETRIES="2") == (3, ["wrong password"])
    assert house.last["steps"][0]["attempts"] == 1
    assert house.night(MYSQL_PASSWORD=ANOTHER) == (3, []), "one alert an incident"


def test_the_source_is_down(house: House) -> None:
    assert mysql.stop()
    assert house.night(NIGHT_RETRIES="1", NIGHT_RETRY_SECONDS="0") == (3, ["source down"])
    assert house.last["steps"][0]["attempts"] == 2


def test_the_certificate_is_expired(house: House) -> None:
    """From here on the source speaks TLS."""
    house.environment["MYSQL_SSL_CA"] = str(house.authority.file)
    house.mysql_with_certificate(datetime.timedelta(minutes=-1))
    assert house.night() == (3, ["certificate"])
    assert mysql.stop()
    house.mysql_with_certificate(datetime.timedelta(days=1))


def test_the_warehouse_is_down(house: House) -> None:
    """What cannot be recorded there is kept, and loaded by the next run."""
    assert postgres.stop()
    assert house.night() == (3, ["warehouse down"])
    assert not house.last["is_loaded"]
    assert "warehouse-down" in (house.folder / "docs" / "site" / "status.html").read_text(encoding="utf-8")
    postgres.start()


def test_the_disk_is_full(house: House) -> None:
    """Of the warehouse: the landing's new tables go to a disk that has no room."""
    house.source("update orderdetails set priceEach = priceEach + 1")
    connection = postgres.connect(home.read_state()[postgres.NAME])
    connection.autocommit = True
    cursor = connection.cursor()
    with small_disk(house.folder / "small" if not home.server_account() else home.servers_home() / "small") as disk:
        cursor.execute(f"create tablespace small location '{disk}'")
        cursor.execute("grant create on tablespace small to ingest")
        cursor.execute("alter role ingest set default_tablespace = small")
        try:
            assert house.night() == (3, ["disk full"])
        finally:
            cursor.execute("alter role ingest reset default_tablespace")
            cursor.execute(f"drop schema if exists landing_{DATABASE} cascade")
            cursor.execute("drop tablespace small")
            connection.close()
    assert {run["is_loaded"] for run in house.records().values() if run["status"] == "failed"} == {True}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(mode=0o755)
    owner = f",uid={pwd.getpwnam(account).pw_uid}" if (account := home.server_account()) else ""
    mount = ["mount", "-t", "tmpfs", "-o", f"size=8k,mode=0700{owner}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_the_source_drifts(house: House) -> None:
    """Nothing is built, though all other tables landed; the runbook's command accepts the change."""
    house.source("alter table productlines drop column image")
    assert house.night() == (5, ["drift"])
    command = "python -m ingestion --accept-drift"
    assert command in RUNBOOKS.split("\n## Drift")[1].split("\n## ")[0]
    words = [sys.executable, *command.split()[1:]]
    subprocess.run(words, cwd=house.folder, env=house.environment, capture_output=True, check=True, timeout=100)


def test_a_column_is_blanked(house: House) -> None:
    """The first landing since the morning ends all incidents of landings."""
    before, of_landings = house.published(), house.open()
    house.source("update customers set phone = ''")
    code, told = house.night()
    assert (code, sorted(told)) == (6, sorted(["unlikely landing", *(f"over: {name}" for name in of_landings)]))
    assert "customers.phone is emptied" in house.last["problems"][0]["what"]
    assert house.published() == before
    house.source("update customers set phone = concat('555-', customerNumber)")


def test_a_test_fails(house: House) -> None:
    """A name that differs in blanks alone is another row of MySQL, and the same of the star schema."""
    before = house.published()
    house.source("insert into productlines (productLine) select concat(' ', productLine) from productlines limit 1")
    assert house.night() == (6, ["failing test"])
    assert house.last["problems"][0]["names"] and house.published() == before
    assert "Sales dashboard (Sales Analytics)" in house.texts[-1]
    house.source("delete from productlines where productLine like ' %'")


def test_a_run_is_killed(house: House) -> None:
    """Amid the build. The next night says so, goes on by itself, and ends what was open."""
    process = house.begin("build")
    time.sleep(2)
    process.kill()
    process.wait()
    assert house.last["status"] == "running"
    code, told = house.night()
    assert told[0] == "killed run"
    assert (code, sorted(told[1:])) == (0, ["over: failing test", "over: killed run", "over: unlikely landing"])
    assert [run["status"] for run in house.records().values()].count("killed") == 1


def test_a_landing_is_late(house: House) -> None:
    """A table that no landing takes grows old; all else is published."""
    house.warehouse(f"update raw_{DATABASE}._landing_runs set finished_at = finished_at - interval '3 days'")
    assert house.night(INGEST_EXCLUDE_TABLES="payments") == (1, ["late landing"])
    assert house.last["is_published"] and "payments landed 7" in house.last["problems"][0]["what"]


def test_a_run_never_came(house: House) -> None:
    """It is noticed from outside, and once; then the schedule is back."""
    for name, run in house.records().items():
        earlier = datetime.datetime.fromisoformat(run["ended_at"] or run["started_at"]) - datetime.timedelta(days=2)
        run["ended_at"] = earlier.isoformat()
        (house.folder / "logs" / "night" / f"{name}.json").write_text(json.dumps(run), encoding="utf-8")
    ended = house.call("status", "--max-age", "26h")
    assert (ended.returncode, house.told()) == (1, ["no run"]), ended.stderr
    assert ended.stdout.startswith("OLD: readers see the landing of 20") and len(ended.stdout.splitlines()) <= 24
    assert (house.call("status", "--max-age", "26h").returncode, house.told()) == (1, [])
    code, told = house.night()
    assert (code, sorted(told)) == (0, ["over: late landing", "over: no run"])
    ended = house.call("status", "--max-age", "26h")
    assert ended.returncode == 0 and ended.stdout.startswith("Fresh: ") and "Nothing is broken." in ended.stdout


def test_every_incident_is_over_and_no_customer_was_named(house: House) -> None:
    incidents = json.loads((house.folder / "logs" / "night" / "incidents.json").read_text(encoding="utf-8"))
    assert len({incident["runbook"] for incident in incidents}) == (12 if not os.geteuid() else 11)
    assert all(incident["told"] and incident["until"] for incident in incidents)
    files = [path for folder in ("logs", "docs/site/status.html") for path in everything(house.folder / folder)]
    written = "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    assert len(files) > 20 and CANARY not in written + "".join(house.texts)
    assert house.environment["MYSQL_PASSWORD"] not in written + "".join(house.texts)


def everything(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]


@pytest.mark.skipif(executable() is None, reason="no Chromium")
def test_the_page_opens_from_disk(house: House, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:
        browser.open((house.folder / "docs" / "site" / "status.html").as_uri(), width=400)
        assert browser.js("document.getElementById('verdict').textContent") == "Fresh"
        assert browser.errors == [] and all(request.startswith("file:") for request in browser.requests)


def test_every_alert_has_its_runbook() -> None:
    """Also those that no incident of this day raises."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)", RUNBOOKS, re.MULTILINE)}
    code = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "operations").glob("*.py"))
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+|certificate|drift|pages|settings|other)"', code)) & headings
    assert named | {"replay"} == headings
    assert set(problems.WORTH_A_RETRY) < set(problems.OF_SERVERS) <= named


def test_a_stop_is_said(house: House) -> None:
    """SIGTERM ends the child and the run, and both are recorded."""
    process = house.begin("land")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert (house.last["status"], house.told()) == ("stopped", ["killed run"])


# the day after


def test_what_is_built_already_is_not_built_again(house: House) -> None:
    """Until a row or the code changes."""
    assert house.ingest() == 0
    built = house.call("build")
    assert built.returncode == 0 and "Done. PASS=" in built.stdout, built.stdout
    assert house.ingest() == 0
    again = house.call("build")
    assert (again.returncode, again.stdout.split(":")[0]) == (0, "Nothing to build")
    model = house.folder / "models" / "marts" / "dim_offices.sql"
    model.write_text(model.read_text(encoding="utf-8") + "-- the same rows\n", encoding="utf-8")
    changed = house.call("build", DBT_TARGET="none of ours")
    assert changed.returncode and "Nothing" not in changed.stdout, "it went as far as dbt"


def test_a_follower_lands_and_builds_after_each_change_but_not_during_a_build(house: House) -> None:
    order = "select max(order_number) from {}"
    raw, mart = f"raw_{DATABASE}.orders", f"{PREFIX}_marts.fct_orders"
    with (house.folder / "follow.log").open("wb") as log:
        follower = subprocess.Popen(
            [*PROGRAM, "follow"], cwd=house.folder, env=house.environment | FOLLOWS, stdout=log, stderr=log
        )
    house.begun.append(follower)
    settings = from_environment(house.environment | FOLLOWS, lock_wait=60)
    copied = "orderDate, requiredDate, shippedDate, status, comments, customerNumber from orders limit 1"
    house.source(f"insert into orders select 90001, {copied}", "insert into orderdetails select 90001, productCode,"
                 " quantityOrdered, priceEach, 1 from orderdetails limit 1")  # fmt: skip
    for relation, seconds in ((raw, 60), (mart, 120)):
        assert house.comes(order.format(relation), 90001, seconds), (house.folder / "follow.log").read_text()
    other = house.call("follow", **FOLLOWS)
    assert other.returncode == 4 and "Another follower" in other.stderr
    with contextlib.closing(locked_session(settings, "build")):
        house.source(f"insert into orders select 90002, {copied}")
        assert not house.comes(order.format(raw), 90002, 2)
    assert house.comes(order.format(raw), 90002, 20)
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(timeout=60) == 143
    assert "Traceback" not in (house.folder / "follow.log").read_text(encoding="utf-8")
