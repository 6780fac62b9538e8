"""The command: exit codes, the report, the closing table, limits on what it takes from the source."""

import hashlib
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from landing import steps
from landing.mysql.connection import MySqlSource, SourceUnavailable
from landing.settings import from_environment
from tests.conftest import Lane, report_of


@pytest.fixture
def shop(lane: Lane) -> Lane:
    lane.execute(
        "create table items (id int primary key, name varchar(20))",
        "insert into items values (1, 'a'), (2, '')",
        "create table dates (id int primary key, day date)",
        "insert into dates values (1, '2003-01-01'), (2, '2003-02-03')",
    )
    return lane


def test_help_names_every_option_and_exit_code(shop: Lane) -> None:
    result = shop.cli("--help", environment={"MYSQL_HOST": ""})
    assert result.returncode == 0
    for word in ("--tables", "--report", "--strict", "--accept-drift", "--full", "--quiet", "exit code: 0", "130"):
        assert word in result.stdout


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["--report"], ["--report", "/nowhere/report.json"], ["--report", "/"]]
)
def test_wrong_usage_is_2(shop: Lane, arguments: list[str]) -> None:
    result = shop.cli(*arguments)
    assert result.returncode == 2 and "usage: python -m ingestion" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_takes_connections_and_never_answers(shop: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        settings = from_environment(shop.environment | {"MYSQL_PORT": port}, greeting_timeout=1)
        with pytest.raises(SourceUnavailable, match="takes connections and does not answer"):
            MySqlSource(settings, "")
    source = MySqlSource(from_environment(shop.environment, greeting_timeout=2), "")
    assert list(source.stream("select sleep(3)")) == [[b"0"]], "a query may take longer than the greeting"
    source.close()


def test_settings_that_are_missing_are_2(shop: Lane) -> None:
    result = shop.cli(environment={"PGHOST": ""})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: PGHOST is not set.") and result.stderr.count("\n") == 1


def test_the_report_tells_what_was_done(shop: Lane, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = shop.cli("--report", str(file), "--quiet")
    assert result.returncode == 0 and result.stderr == ""
    report = report_of(file)
    assert report["status"] == "ok" and report["raw_schema"] == shop.raw
    assert [(table["table"], table["status"], table["rows"], table["inserted"]) for table in report["tables"]] == [
        ("dates", "landed", 2, 2),
        ("items", "landed", 2, 2),
    ]
    assert result.stdout.splitlines()[-1].startswith(f"Landed 2 of 2 tables of {shop.database} in {shop.raw}, ")
    ((run_id,),) = shop.warehouse("select run_id from {raw}._landing_runs")
    assert report["run_id"] == run_id
    assert list(tmp_path.iterdir()) == [file]


def test_a_report_is_written_when_there_was_no_landing(shop: Lane, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert shop.cli("--report", str(file)).returncode == 0
    assert shop.cli("--report", str(file), environment={"PGPORT": "1"}).returncode == 3
    report = report_of(file)
    assert report["status"] == "failed" and "Postgres at 127.0.0.1:1: it cannot be reached" in report["error"]


def test_only_some_tables(shop: Lane) -> None:
    result = shop.cli("--tables", "it*")
    assert result.returncode == 0 and "Landed 1 of 1 tables" in result.stdout
    result = shop.cli("--tables", "items,itmes")
    assert result.returncode == 2 and "itmes fits nothing" in result.stderr


def test_one_table_that_fails_is_1_and_the_others_land(shop: Lane, tmp_path: Path) -> None:
    shop.land()
    shop.execute("alter table items drop column name", "insert into dates values (3, null)")
    file = tmp_path / "report.json"
    result = shop.cli("--report", str(file))
    assert result.returncode == 1
    assert "error: items: its definition changed: column name is gone." in result.stdout
    assert shop.warehouse("select count(*) from {raw}.dates") == [(3,)]
    statuses = {table["table"]: table["status"] for table in report_of(file)["tables"]}
    assert statuses == {"items": "failed", "dates": "landed"} and report_of(file)["status"] == "failed"
    assert shop.cli("--accept-drift").returncode == 0
    assert shop.warehouse("select id from {raw}.items order by 1") == [(1,), (2,)]


@pytest.mark.parametrize(
    "statement", ["insert into items values (9, 'z')", "drop table items", "create table x (y int)"]
)
def test_the_landings_own_user_can_only_read(shop: Lane, statement: str) -> None:
    connection = pymysql.connect(**from_environment(shop.environment).mysql)
    with connection.cursor() as cursor:
        assert cursor.execute("select id from items") == 2
        with pytest.raises(pymysql.OperationalError, match="command denied"):
            cursor.execute(statement)
    connection.close()


def test_strict_refuses_what_the_warehouse_cannot_hold(shop: Lane) -> None:
    shop.execute("set sql_mode = ''", "insert into dates values (3, '0000-00-00')")
    result = shop.cli("--strict")
    assert result.returncode == 1 and "error: dates: 1 rows hold a value" in result.stdout
    assert shop.warehouse("select count(*) from {raw}.items") == [(2,)]
    result = shop.cli()
    assert result.returncode == 0
    assert shop.warehouse("select day from {raw}.dates where id = 3") == [(None,)]
    assert shop.warehouse("select original_text from {raw}._landing_exceptions") == [("0000-00-00",)]


def test_strict_finds_what_an_earlier_landing_kept(lane: Lane) -> None:
    """Also where no row has changed since, and by whatever key."""
    lane.execute("set sql_mode = ''", "create table dates (k varchar(5) primary key, day date, t int)")
    lane.execute("set sql_mode = ''", "insert into dates values ('a', 0, 1)")
    for setting in ({}, {"INGEST_INCREMENTAL": "dates.t"}):
        assert lane.land_one(setting).cast_exceptions == 1
        report = lane.land(setting, strict=True)
        assert "1 rows hold a value" in report.tables[0].reason


def test_full_compares_what_seems_unchanged(shop: Lane) -> None:
    shop.land()
    shop.warehouse("update {raw}.items set name = 'wrong' where id = 1")
    assert shop.cli().returncode == 0
    assert shop.warehouse("select name from {raw}.items where id = 1") == [("wrong",)]
    assert shop.cli("--full").returncode == 0
    assert shop.warehouse("select name from {raw}.items where id = 1") == [("a",)]


def test_the_row_rate_is_kept(shop: Lane) -> None:
    shop.execute(
        "create table many (id int primary key, filler char(100))",
        "insert into many select seq, repeat('x', 100) from seq_1_to_12000",
    )
    started = time.monotonic()
    shop.land({"INGEST_TABLES": "many"})
    unlimited = time.monotonic() - started
    shop.execute("update many set filler = 'y'")
    started = time.monotonic()
    shop.land({"INGEST_TABLES": "many", "INGEST_ROWS_PER_SECOND": "4000"})
    assert time.monotonic() - started > max(2.9, unlimited)
    assert shop.warehouse("select count(*) from {raw}.many where filler = 'y'") == [(12000,)]


def test_a_table_that_takes_too_long_is_named(shop: Lane) -> None:
    shop.execute("create view slow as select seq, sleep(0.01) as x from seq_1_to_1000")
    result = shop.cli(environment={"INGEST_VIEWS": "true", "INGEST_STATEMENT_TIMEOUT_SECONDS": "1"})
    assert result.returncode == 1
    assert "error: slow: it could not be read: it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS" in result.stdout
    assert shop.warehouse("select count(*) from {raw}.items") == [(2,)]


def test_dlt_hears_of_nothing_else_and_leaves_nothing(shop: Lane, tmp_path: Path) -> None:
    """Neither dlt's own variables nor its files steer a landing; it writes nothing outside the work folder."""
    result = shop.cli(
        environment={
            "LOAD__WORKERS": "nonsense",
            "RUNTIME__LOG_LEVEL": "DEBUG",
            "DESTINATION__POSTGRES__CREDENTIALS": "postgresql://wrong:wrong@127.0.0.1:1/wrong",  # pragma: allowlist secret
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            "INGEST_WORK_FOLDER": str(tmp_path / "work"),
        }
    )
    assert result.returncode == 0, result.stderr
    assert all(line.startswith("read ") for line in result.stderr.splitlines()), result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_dlts_own_settings_are_as_before(shop: Lane) -> None:
    import dlt

    before: Any = dlt.config.get("load.workers")
    dlt.config["load.workers"] = 7
    shop.land()
    assert dlt.config["load.workers"] == 7 and dlt.config.get("restore_from_destination") is None
    dlt.config["load.workers"] = before


@pytest.mark.parametrize("checksum", ["crc32", "md5"])
def test_both_checksums_agree_with_the_source(shop: Lane, checksum: str) -> None:
    """PostgreSQL 18 has MySQL's CRC32; for an older one both servers take a part of the MD5. What was taken is recorded."""
    shop.execute("insert into items values (3, 'æ ,\"\n'), (4, null)")
    assert shop.land(checksum=checksum).status == "ok"
    lines = ['1,"a"', '2,""', '3,"æ ,""\n"', "4,"]
    sums: dict[str, Callable[[bytes], int]] = {
        "crc32": zlib.crc32,
        "md5": lambda line: int(hashlib.md5(line).hexdigest()[:8], 16),  # noqa: S324
    }
    recorded = shop.warehouse("select checksum from {raw}._landing_tables where table_name = 'items'")
    assert recorded == [(sum(sums[checksum](line.encode()) for line in lines),)]
    shop.execute("update items set name = 'z' where id = 1")
    assert shop.land(checksum=checksum).status == "ok"
    assert shop.warehouse("select name from {raw}.items order by id") == [("z",), ("",), ('æ ,"\n',), (None,)]


@pytest.fixture
def at(shop: Lane) -> Iterator[Callable[[str, str, str], None]]:
    """``at(step, about, sql)``: another session of the warehouse runs ``sql`` when a landing reaches the step."""

    def when(step: str, about: str, sql: str) -> None:
        def watch(reached: str, what: str) -> None:
            if (reached, what) == (step, about):
                shop.warehouse(sql)

        steps.watchers.append(watch)

    yield when
    steps.watchers.clear()


def test_a_row_that_changed_on_its_way_is_not_published(shop: Lane, at: Callable[[str, str, str], None]) -> None:
    shop.land()
    shop.execute("insert into items values (3, 'c')", "insert into dates values (3, null)")
    at("verifying", "items", f"update landing_{shop.database}.items set name = 'x' where id = 1")
    report = shop.land()
    reasons = {table.table: table.reason for table in report.tables if table.status == "failed"}
    assert list(reasons) == ["items"] and "3 rows with checksum" in reasons["items"]
    assert shop.warehouse("select name from {raw}.items order by id") == [("a",), ("",)]
    assert shop.warehouse("select count(*) from {raw}.dates") == [(3,)]


def test_a_file_the_warehouse_refuses_fails_its_table_alone(shop: Lane, at: Callable[[str, str, str], None]) -> None:
    alter = f"alter table landing_{shop.database}.items alter column name type date using null"
    at("arrivals created", "items", alter)
    report = shop.land()
    reasons = {table.table: table.reason for table in report.tables if table.status == "failed"}
    assert list(reasons) == ["items"], reasons
    assert reasons["items"].startswith(
        'the warehouse refused it: invalid input syntax for type date: "..." (column name)'
    )
    assert shop.warehouse("select count(*) from {raw}.dates") == [(2,)]
