"""A table is not even read where two landings, one after the other, found the server's log where it stands.

Most tests hold the position still, as if a write that they make had been in the log already; others ask the real server.
"""

import contextlib
import os
import time
from collections.abc import Callable

import pytest

from ingestion import source
from ingestion.landing import Report
from ingestion.reading import BlockReading, Reading
from ingestion.settings import from_environment
from ingestion.source import Source
from sandbox import mysql
from tests.conftest import Lane

NOT_READ = "not read: the server's log stands where it stood"
TABLES = ["empty", "items", "parts", "words"]
READ = "select variable_value from information_schema.global_status where variable_name = 'Innodb_rows_read'"


@pytest.fixture
def shop(lane: Lane) -> Lane:
    """Tables that land by blocks, as a whole, in partitions, and without a row."""
    if "mariadb" not in str(lane.source("select lower(version())")[0][0]):
        pytest.skip("only MariaDB says exactly where its log stands")
    lane.execute(
        "create table items (id int primary key, name varchar(20), sold date, mood enum('good', 'bad'))",
        "set sql_mode = ''",
        "insert into items values (1, 'a', '2003-01-01', 'good'), (2, '', '0000-00-00', 'bad'), (3, null, null, null)",
        "create table words (word varchar(20) primary key, what varchar(20))",
        "insert into words values ('one', 'a'), ('two', 'b')",
        "create table parts (id int primary key, what varchar(20)) partition by hash (id) partitions 3",
        "insert into parts select seq, 'old' from seq_1_to_50",
        "create table `empty` (id int primary key, what varchar(20))",
    )
    return lane


@pytest.fixture
def still(shop: Lane, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """The same, with a log that never moves, landed twice: the next landing reads nothing."""
    monkeypatch.setattr(Source, "_log_position", lambda _: "here")
    _land(shop, "2005-03-01T00:00:00")
    _land(shop, "2005-03-01T01:00:00")
    return shop


def _land(lane: Lane, as_of: str = "2005-03-02T00:00:00", **environment: str) -> Report:
    report = lane.land({"AS_OF": as_of} | environment)
    assert report.status == "ok", report
    return report


def _not_read(report: Report) -> list[str]:
    return [table.source_table for table in report.tables if NOT_READ in table.notes]


def _rest(lane: Lane) -> Report:
    """Land until nothing is read: for a moment after a write the server goes on writing, to itself."""
    for _ in range(100):
        report = lane.land()
        if _not_read(report) == [table.source_table for table in report.tables]:
            return report
        time.sleep(0.1)
    raise AssertionError(report)


def _assert_equal(lane: Lane) -> None:
    for table, columns in (("items", "id, name, mood"), ("words", "word, what"), ("parts", "id, what")):
        rows = f"select {columns} from {{}}{table} order by 1"
        assert lane.warehouse(rows.format("{raw}.")) == lane.source(rows.format("")), table


def test_what_nobody_wrote_to_is_not_read(shop: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.land()
    _rest(shop)
    state = "select *, xmin from {raw}._landing_state order by table_name"
    before = shop.warehouse(state)

    def refused(*_: object) -> None:
        raise AssertionError("something was read")

    monkeypatch.setattr(Reading, "_take", refused)
    monkeypatch.setattr(BlockReading, "_take", refused)
    monkeypatch.setattr("ingestion.stage.Stage.copy", refused)
    rows_read = shop.source(READ)
    report = _rest(shop)
    assert shop.source(READ) == rows_read
    assert _not_read(report) == TABLES and report.seconds < 1
    assert [(table.status, table.loaded) for table in report.tables] == [("unchanged", 0)] * 4
    for table, once in zip(report.tables, first.tables, strict=True):
        assert (table.rows, table.checksum, table.cast_exceptions) == (once.rows, once.checksum, once.cast_exceptions)
    assert shop.warehouse(state) == before
    recorded = "select table_name, row_count, checksum from {raw}._landing_tables where run_id = '%s' order by 1"
    assert shop.warehouse(recorded % report.run_id) == [(t.table, t.rows, t.checksum) for t in first.tables]


def test_a_commit_that_was_on_its_way_is_seen_by_the_second_landing(
    shop: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "_log_position", lambda _: "here")
    assert _not_read(shop.land()) == []
    shop.execute("update items set name = 'late' where id = 2", "update words set what = 'late'")
    assert _not_read(shop.land()) == []
    _assert_equal(shop)
    assert _not_read(shop.land()) == TABLES


@pytest.mark.parametrize(
    "statements",
    [
        ["insert into items (id, name) values (4, 'new')"],
        ["update items set name = 'new' where id = 1", "update parts set what = 'new' where id = 7"],
        ["delete from words where word = 'one'"],
        ["truncate parts"],
        ["alter table items add column more int default 7"],
        ["alter table items modify mood enum('good', 'bad', 'best')"],
        ["create table other.notes (id int)", "insert into other.notes values (1)"],
    ],
    ids=lambda statements: statements[0][:30],
)
def test_whatever_is_written_anywhere_everything_is_read(shop: Lane, statements: list[str]) -> None:
    other = f"{shop.database}_other"
    shop.execute(f"create database {other}")
    try:
        _rest(shop)
        shop.execute(*(statement.replace("other.", f"{other}.") for statement in statements))
        report = shop.land()
        assert report.status == "ok" and _not_read(report) == []
        _assert_equal(shop)
        if "other." in statements[0]:
            assert {table.status for table in report.tables} == {"unchanged"}
    finally:
        shop.execute(f"drop database {other}")


def test_what_was_written_long_before_its_commit(shop: Lane) -> None:
    connection = shop.servers.mysql(shop.database, autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("update items set name = 'written' where id = 1")
    _rest(shop)
    assert shop.warehouse("select name from {raw}.items where id = 1") == [("a",)]
    connection.commit()
    connection.close()
    assert _not_read(shop.land()) == []
    _assert_equal(shop)


def test_a_write_between_the_question_and_the_snapshot(shop: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows whether the snapshot has it: no position is kept, and nothing is left out."""
    query: Callable[[Source, str], object] = Source._query

    def writing(self: Source, sql: str) -> object:
        if sql.startswith("START TRANSACTION"):
            shop.execute("update items set name = concat(name, '!') where id = 1")
        return query(self, sql)

    _rest(shop)
    monkeypatch.setattr(Source, "_query", writing)
    assert _not_read(shop.land()) == []
    assert set(shop.warehouse("select log_position, is_confirmed from {raw}._landing_state")) == {(None, False)}
    _assert_equal(shop)


def test_to_ask_for_it_takes_nothing_from_the_snapshot(shop: Lane) -> None:
    """Also where transactions see by default what others commit while they last."""
    ((before,),) = shop.source("select @@global.tx_isolation")
    shop.execute("set global tx_isolation = 'READ-COMMITTED'")
    try:
        with contextlib.closing(Source(from_environment(shop.environment))) as opened:
            shop.execute("delete from words")
            assert sorted(word for rows in opened.stream("select word from words") for word in rows) == [b"one", b"two"]
    finally:
        shop.execute(f"set global tx_isolation = '{before}'")


@pytest.mark.parametrize(
    "position",
    [
        "select authentication_string from mysql.global_priv",
        "select @@no_such_variable",
        source._POSITION.replace("Innodb_lsn_current", "no_such_status"),
        source._POSITION.replace("Uptime", "no_such_status"),
    ],
    ids=["no right", "an error", "no log", "no start"],
)
def test_where_the_server_does_not_say_all_is_read(shop: Lane, monkeypatch: pytest.MonkeyPatch, position: str) -> None:
    monkeypatch.setattr(source, "_POSITION", position)
    for _ in range(4):
        report = shop.land()
        assert report.status == "ok" and _not_read(report) == []


def test_mysqls_position_is_of_a_moment_ago_and_not_asked_for(shop: Lane) -> None:
    opened = Source(from_environment(shop.environment))
    assert opened._log_position() is not None
    opened.is_mariadb = False
    assert opened._log_position() is None
    opened.close()


def test_a_position_is_of_one_server_since_its_start(shop: Lane) -> None:
    """Two questions, a second apart, have one answer; a server that was started again has another."""
    if os.environ.get("TEST_MYSQL_HOST"):
        pytest.skip("the MySQL of TEST_MYSQL_HOST cannot be started again from here")
    _rest(shop)

    def position() -> list[str]:
        opened = Source(from_environment(shop.environment))
        opened.close()
        return str(opened.position).split()

    before = position()
    time.sleep(1.1)
    names = "select @@hostname, cast(@@port as char), cast(@@server_id as char), database()"
    host, port, server, started, _, database = position()
    assert before[:4] == [host, port, server, started]
    assert (host, port, server, database) == shop.source(names)[0]
    assert abs(time.time() - int(shop.source("show global status like 'Uptime'")[0][1]) - int(started)) < 3
    assert mysql.stop()
    mysql.start()
    assert position()[3] > started
    assert _not_read(shop.land()) == []


@pytest.mark.parametrize(
    "definition",
    [
        "create table odd (id int primary key, what varchar(20)) engine = myisam",
        "create table odd (id int primary key, what varchar(20)) engine = aria transactional = 1",
        "create table odd (id int primary key, what varchar(20)) with system versioning",
        "create table odd (id int primary key, what varchar(20), moment datetime(6) as (now(6)) virtual)",
        "create view odd as select id, name as what from items",
        "create view odd as select 1 as id, now(6) as what",
    ],
    ids=lambda definition: definition.rpartition(")")[2].strip() or definition[:40],
)
def test_what_may_change_without_the_log_is_read_each_time(still: Lane, definition: str) -> None:
    still.execute(definition)
    is_view = "view" in definition
    if not is_view:
        still.execute("insert into odd (id, what) values (1, 'old')")
    for hour in range(2, 5):
        report = _land(still, f"2005-03-01T0{hour}:00:00", INGEST_VIEWS=str(is_view).lower())
        assert _not_read(report) == TABLES
    if not is_view:
        still.execute("update odd set what = 'new'")
    report = _land(still, INGEST_VIEWS=str(is_view).lower())
    assert _not_read(report) == TABLES
    if "now" in definition:
        assert next(table.updated + table.inserted for table in report.tables if table.table == "odd") == 1
    elif not is_view:
        assert still.warehouse("select what from {raw}.odd") == [("new",)]


def test_a_stored_generated_column_is_a_row_s_own(still: Lane) -> None:
    still.execute("create table odd (id int primary key, twice int as (id * 2) stored)")
    for hour in range(2, 4):
        _land(still, f"2005-03-01T0{hour}:00:00")
    assert _not_read(_land(still)) == ["empty", "items", "odd", "parts", "words"]


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("items", "delete from {raw}.items where id = 1"),
        ("items", "insert into {raw}.items (id, _loaded_at) values (9, now())"),
        ("words", "delete from {raw}.words where word = 'one'"),
        ("words", "insert into {raw}.words values ('nine', 'by hand', now())"),
    ],
)
def test_rows_taken_out_or_put_in_by_hand_are_found_at_once(still: Lane, table: str, statement: str) -> None:
    still.warehouse(statement)
    assert _not_read(_land(still)) == [name for name in TABLES if name != table]
    _assert_equal(still)


@pytest.mark.parametrize("table", ["items", "words"])
def test_what_was_dropped_in_the_warehouse_is_made_good(still: Lane, table: str) -> None:
    still.warehouse(f"alter table {{raw}}.{table} drop column {'name' if table == 'items' else 'what'}")
    assert _not_read(_land(still)) == [name for name in TABLES if name != table]
    _assert_equal(still)
    still.warehouse(f"drop table {{raw}}.{table}")
    assert _not_read(_land(still, "2005-03-03T00:00:00")) == [name for name in TABLES if name != table]
    _assert_equal(still)


def test_full_reads_everything(still: Lane) -> None:
    still.warehouse("update {raw}.items set name = 'by hand'; update {raw}.words set what = 'by hand'")
    assert _not_read(_land(still)) == TABLES
    report = still.land({"AS_OF": "2005-03-03T00:00:00"}, full_compare=True)
    assert report.status == "ok" and _not_read(report) == []
    _assert_equal(still)
    assert _not_read(_land(still, "2005-03-04T00:00:00")) == TABLES


def test_after_a_week_everything_is_read(still: Lane) -> None:
    still.warehouse("update {raw}.items set name = 'by hand'")
    assert _not_read(_land(still, "2005-03-07T00:00:00")) == TABLES
    assert _not_read(_land(still, "2005-03-08T01:00:00")) == []
    _assert_equal(still)
    assert _not_read(_land(still, "2005-03-14T00:00:00")) == TABLES


def test_strict_looks_for_values_that_could_not_be_held(still: Lane) -> None:
    report = still.land({"AS_OF": "2005-03-02T00:00:00"}, strict=True)
    assert _not_read(report) == ["empty", "parts", "words"]
    (failed,) = [table for table in report.tables if table.status == "failed"]
    assert failed.reason == "1 rows hold a value that their warehouse type cannot, and that is --strict"


def test_other_settings_ask_for_something_else(still: Lane) -> None:
    hashed = {"AS_OF": "2005-03-02T00:00:00", "INGEST_HASH_COLUMNS": "words.what", "INGEST_HASH_KEY": "key"}
    assert _not_read(still.land(hashed, accept_drift=True)) == ["empty", "items", "parts"]
    assert {len(what) for (what,) in still.warehouse("select what from {raw}.words")} == {64}
    report = _land(still, "2005-03-03T00:00:00", INGEST_HASH_COLUMNS="words.what", INGEST_HASH_KEY="another")
    assert _not_read(report) == ["empty", "items", "parts"]
    still.land({"AS_OF": "2005-03-04T00:00:00"}, accept_drift=True)
    _assert_equal(still)
    report = still.land({"AS_OF": "2005-03-05T00:00:00", "INGEST_EXCLUDE_COLUMNS": "items.name"}, accept_drift=True)
    assert "items" not in _not_read(report)
    columns = "select 1 from information_schema.columns where table_schema = '{raw}' and table_name = 'items'"
    assert still.warehouse(f"{columns} and column_name = 'name'") == []


def test_another_definition_of_a_column_is_read(still: Lane) -> None:
    """Also where the same is asked of it, and the log would not have told."""
    still.execute("alter table items modify mood enum('good', 'bad', 'best')")
    assert _not_read(_land(still)) == ["empty", "parts", "words"]
    _assert_equal(still)


def test_an_incremental_table_is_read_as_always(still: Lane) -> None:
    still.execute("insert into items (id, name, sold) values (4, 'new', '2030-01-01')")
    assert _not_read(_land(still, INGEST_INCREMENTAL="items.sold")) == ["empty", "parts", "words"]
    _assert_equal(still)


@pytest.mark.parametrize(
    "statement", ["truncate {raw}._landing_state", "update {raw}._landing_state set log_position = null"]
)
def test_a_state_without_a_position_is_none(still: Lane, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    still.execute("update words set what = 'new'")
    still.warehouse(statement)
    assert _not_read(_land(still)) == []
    _assert_equal(still)
    still.warehouse("update {raw}._landing_state set log_position = null, is_confirmed = true")
    monkeypatch.setattr(Source, "_log_position", lambda _: None)
    assert _not_read(_land(still, "2005-03-03T00:00:00")) == []


def test_records_of_an_earlier_version_are_made_ready(still: Lane) -> None:
    still.warehouse(
        "alter table {raw}._landing_state drop column checksum, drop column log_position, drop column is_confirmed"
    )
    digests = "select table_name, digests from {raw}._landing_state order by 1"
    before = still.warehouse(digests)
    report = _land(still, "2005-03-01T02:00:00")
    assert {table.status for table in report.tables} == {"unchanged"} and _not_read(report) == []
    assert still.warehouse(digests) == before
    assert _not_read(_land(still, "2005-03-01T03:00:00")) == []
    assert _not_read(_land(still)) == TABLES
