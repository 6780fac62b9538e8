"""Landings that read only what the binary log names: exact, whatever the log leaves out."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ingestion.follow import follow
from landing.erased import key_check, subject_hash
from landing.report import LandingReport
from landing.settings import SettingsError, from_environment
from tests import SEED
from tests.conftest import PROJECT, Lane, numbers
from tests.hazards.reader import read_raw, read_source

LOG = {"INGEST_BINLOG": "true"}
_TABLES = (
    "create table parents (id int primary key, code int unique, v int)",
    "create table children (id int primary key, parent int, code int,"
    " foreign key (parent) references parents (id) on delete cascade on update cascade,"
    " foreign key (code) references parents (code) on delete set null on update cascade)",
    "create table grandchildren (id bigint unsigned primary key, child int,"
    " foreign key (child) references children (id) on delete cascade)",
    "create table plain (parent int, line smallint, v varchar(20), primary key (parent, line),"
    " foreign key (parent) references parents (id))",
    "create table named (name varchar(20) primary key, v int)",
    "create table keyless (v int)",
    "create table old (id int primary key, v int) engine = myisam",
    "create table other (id int primary key default 7, v int)",
    f"insert into parents select seq, seq + 1000, seq from {numbers(300)}",
    f"insert into children select seq, seq, seq + 1000 from {numbers(200)}",
    f"insert into grandchildren select seq, seq from {numbers(150)}",
    f"insert into plain select seq + 200, 1, 'a' from {numbers(100)}",
    f"insert into plain select seq + 200, 2, 'b' from {numbers(100)}",
    "insert into named values ('a', 1), ('b', 2)",
    "insert into keyless values (1), (1), (2)",
    "insert into old values (1, 1), (2, 2)",
    "insert into other values (1, 1), (2, 2)",
)


@pytest.fixture
def shop(lane: Lane) -> Lane:
    """All tables, landed once, and once more by the log."""
    lane.execute(*_TABLES)
    assert lane.land(LOG).status == "ok"
    report = lane.land(LOG)
    assert report.status == "ok" and report.log_position and not report.log
    return lane


def loaded(report: LandingReport) -> dict[str, int]:
    """Rows read of each table, where there are any."""
    assert report.status == "ok", report
    return {table.source_table: table.loaded for table in report.tables if table.loaded}


def assert_equal(lane: Lane) -> None:
    """By the independent reader, every raw table has MySQL's rows."""
    source, warehouse = lane.servers.mysql(lane.database), lane.servers.postgres()
    with source.cursor() as theirs, warehouse.cursor() as ours:
        theirs.execute("show full tables where table_type = 'BASE TABLE'")
        for name, _ in theirs.fetchall():
            expected = read_source(theirs, lane.database, name)
            raw = read_raw(ours, lane.raw, expected, name)
            assert raw is not None, name
            assert sorted(raw.rows, key=repr) == sorted(expected.plain(), key=repr), name
    source.close()
    warehouse.close()


def test_only_the_rows_that_the_log_names_are_read(shop: Lane) -> None:
    shop.execute(
        "update parents set v = v + 1 where id in (210, 220)",
        "delete from plain where parent = 230 and line = 2",
        "insert into plain values (240, 3, 'new')",
        "insert into grandchildren values (18446744073709551615, 1)",
    )
    report = shop.land(LOG)
    assert loaded(report) == {
        **{"parents": 2, "plain": 1 + 3},  # a key is the first column of it: all lines of 230 and 240
        "grandchildren": 151,  # its key can be more than the warehouse's bigint: read whole
        "old": 2,
    } or loaded(report) == {"parents": 2, "plain": 4, "grandchildren": 151}
    assert_equal(shop)
    assert loaded(shop.land(LOG)) in ({}, {"old": 2})


BY_STATEMENTS: dict[str, tuple[str, ...]] = {
    "a table is emptied": ("set foreign_key_checks = 0", "truncate plain"),
    "a column is added and filled by its default": ("alter table other add column w int not null default 5",),
    "a table is made anew": ("drop table other", "create table other (id int primary key, v int)"),
    "two tables change names": ("rename table other to x, named to other, x to named",),
    "a parent is deleted": ("delete from parents where id = 5",),
    "a parent gets another key": ("update parents set id = 5000 where id = 6",),
    "a parent gets another code, which is no key": ("update parents set code = 9000 where id = 7",),
    "a parent is replaced by itself": ("replace into parents values (8, 1008, 8)",),
    "an insert leaves the key to its default, and the log leaves it out": (
        *("set session binlog_row_image = 'MINIMAL'", "insert into other (v) values (70)"),
    ),
    "statements are logged instead of rows": (
        *("set session binlog_format = 'STATEMENT'", "update other set v = v + 1", "insert into named values ('z', 1)"),
    ),
    "a table without a key": ("insert into keyless values (2), (3)", "delete from keyless where v = 1 limit 1"),
    "a table without transactions": ("update old set v = 9 where id = 1",),
    "keys are swapped": ("update other set id = -id", "update other set id = 3 + id"),
    "a transaction is rolled back to a point": (
        *("begin", "update other set v = 50 where id = 1", "savepoint s", "update named set v = 50"),
        *("rollback to s", "commit"),
    ),
    "a transaction is prepared and committed": (
        *("xa start 'x'", "update other set v = 60 where id = 1", "xa end 'x'", "xa prepare 'x'", "xa commit 'x'"),
    ),
    "a table of another database is the parent": (
        *(
            "create database {other}",
            "create table {other}.far (id int primary key)",
            "insert into {other}.far values (1)",
        ),
        "create table near (id int primary key, far int, foreign key (far) references {other}.far (id) on delete cascade)",
        *("insert into near values (1, 1), (2, 1), (3, null)", "-- land", "delete from {other}.far"),
    ),
}


@pytest.mark.parametrize("what", BY_STATEMENTS)
def test_what_the_log_tells_badly_lands_exactly(shop: Lane, what: str) -> None:
    other = f"{shop.database}_other"
    parts = "\n".join(BY_STATEMENTS[what]).replace("{other}", other).split("-- land\n")
    try:
        for part in parts:
            shop.execute(*part.strip().split("\n"))
            assert shop.land(LOG, accept_drift=True).status == "ok"
        assert_equal(shop)
        assert shop.land(LOG | {"INGEST_BINLOG": "false"}, full_compare=True).status == "ok"
    finally:
        if len(parts) > 1:
            shop.execute("drop table near", f"drop database {other}")


def test_a_transaction_that_is_prepared_in_one_landing_and_committed_in_the_next(shop: Lane) -> None:
    connection = shop.servers.mysql(shop.database)
    with connection.cursor() as cursor:
        for statement in ("xa start 'y'", "update other set v = 61 where id = 1", "xa end 'y'", "xa prepare 'y'"):
            cursor.execute(statement)
        assert shop.land(LOG).status == "ok"
        cursor.execute("xa commit 'y'")
    connection.close()
    assert shop.land(LOG).status == "ok"
    assert_equal(shop)


# the proof of a position


@contextlib.contextmanager
def writing(lane: Lane, writers: int, seconds: float) -> Iterator[list[int]]:
    """Writers of single commits on ``items``, until they have had their time. The list has the commits of each."""
    commits = [0] * writers

    def write(number: int) -> None:
        chance, until = random.Random(f"{SEED}/{number}"), time.monotonic() + seconds
        connection = lane.servers.mysql(lane.database)
        with connection.cursor() as cursor:
            while time.monotonic() < until:
                key = chance.randrange(number, 4000, writers)
                cursor.execute(
                    chance.choice(
                        (
                            f"insert into items values ({key}, {commits[number]}) on duplicate key update v = v + 1",
                            f"update items set v = v + 1 where id = {key}",
                            f"delete from items where id = {key}",
                        )
                    )
                )
                commits[number] += 1
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    yield commits
    for thread in threads:
        thread.join()


@pytest.fixture
def items(lane: Lane) -> Lane:
    lane.execute(
        "create table items (id int primary key, v int)", f"insert into items select seq, 0 from {numbers(3000)}"
    )
    assert lane.land(LOG).status == "ok"
    return lane


def test_no_commit_is_missed_while_four_writers_go_on(items: Lane) -> None:
    landings = 0
    with writing(items, writers=4, seconds=6) as commits:
        until = time.monotonic() + 6
        while time.monotonic() < until:
            assert set(loaded(items.land(LOG))) <= {"items"}
            landings += 1
    loaded(items.land(LOG))
    assert sum(commits) > 500 and landings > 1, (commits, landings)
    assert_equal(items)


def test_a_position_is_proven_by_a_row_that_nobody_holds(items: Lane) -> None:
    """MySQL: as long as the row of the last transaction is locked, the one before it counts."""
    if items.servers.is_mariadb:
        pytest.skip("MariaDB says itself where a snapshot stands")
    items.execute("update items set v = 1 where id = 7")
    ((_, before, *_),) = items.source("show master status")
    items.execute("update items set v = 1 where id = 5")
    ((_, after, *_),) = items.source("show master status")
    with contextlib.closing(items.servers.mysql(items.database, autocommit=False)) as holder:
        holder.cursor().execute("update items set v = 2 where id = 5")
        assert f":{before}:" in items.land(LOG).log_position
    report = items.land(LOG)
    assert loaded(report) == {"items": 1} and f":{after}:" in report.log_position


@pytest.fixture
def late(items: Lane) -> Iterator[Lane]:
    """MariaDB waits for a replica that never comes, 600 ms between the log's event and its row: each commit does."""
    if not items.servers.is_mariadb:
        pytest.skip("MySQL 5.6 cannot hold a commit between its event and its row")
    names = ("rpl_semi_sync_master_wait_point", "rpl_semi_sync_master_timeout", "rpl_semi_sync_master_enabled")
    (before,) = items.source(f"select {', '.join(f'@@global.{name}' for name in names)}")
    items.execute(
        f"set global {names[0]} = 'AFTER_SYNC', global {names[1]} = 600, global {names[2]} = 1",
    )
    yield items
    items.execute(
        f"set global {names[2]} = 0", f"set global {names[0]} = '{before[0]}', global {names[1]} = {before[1]}"
    )


def test_a_commit_that_becomes_visible_late_is_not_missed(late: Lane) -> None:
    for number in range(3):
        late.execute("set global rpl_semi_sync_master_enabled = 0", "set global rpl_semi_sync_master_enabled = 1")
        writer = threading.Thread(target=late.execute, args=(f"update items set v = {number + 100} where id = 5",))
        writer.start()
        time.sleep(0.2)  # the event is in the log, and its row is not visible
        assert late.source("select v from items where id = 5") != [(number + 100,)], (
            "the server did not hold the commit"
        )
        loaded(late.land(LOG))
        writer.join()
        loaded(late.land(LOG))
        assert late.warehouse("select v from {raw}.items where id = 5") == [(number + 100,)]


# all rows are read, and the report says why


def _another_server(shop: Lane) -> None:
    shop.warehouse("update {raw}._landing_runs set log_position = 'other' || log_position returning 1")
    shop.warehouse("update {raw}._landing_state set log_position = 'other' || log_position returning 1")


def _no_privilege(shop: Lane) -> None:
    rights = "replication slave, replication client" + (", slave monitor" if shop.servers.is_mariadb else "")
    shop.execute(f"revoke {rights} on *.* from {shop.servers.account}")


def _purged(shop: Lane) -> None:
    shop.execute("flush logs", "flush logs")
    ((file, *_),) = shop.source("show master status")
    for _ in range(50):  # a file stays while a reader that has just ended still holds it
        shop.execute(f"purge binary logs to '{file}'")
        if shop.source("show binary logs")[0][0] == file:
            return
        time.sleep(0.1)
    raise AssertionError(shop.source("show binary logs"))


WHY: dict[str, tuple[Callable[[Lane], None], str]] = {
    "another server": (_another_server, "another MySQL server answers"),
    "no privilege": (_no_privilege, "GRANT REPLICATION SLAVE"),
    "purged": (_purged, "binary log"),
    "a table is altered": (lambda shop: shop.execute("alter table other add column w int"), "ALTER TABLE"),
}


@pytest.mark.parametrize("what", WHY)
def test_all_rows_are_read_and_the_report_says_why(shop: Lane, what: str) -> None:
    do, words = WHY[what]
    try:
        shop.execute(
            "update other set v = 77 where id = 1", "set sql_log_bin = 0", "update other set v = 78 where id = 2"
        )
        do(shop)
        report = shop.land(LOG)
        assert words in report.log and "\n" not in report.log
        assert loaded(report)["other"] >= 1
        assert_equal(shop)
    finally:
        if what == "no privilege":
            rights = "replication slave, replication client" + (", slave monitor" if shop.servers.is_mariadb else "")
            shop.execute(f"grant {rights} on *.* to {shop.servers.account}")
    report = shop.land(LOG)
    assert not report.log and loaded(report) in ({}, {"old": 2}), "the next landing goes by the log again"


def test_another_hash_key_reads_all_rows(shop: Lane) -> None:
    hashed = LOG | {"INGEST_HASH_COLUMNS": "plain.v", "INGEST_HASH_KEY": "one"}
    assert shop.land(hashed, accept_drift=True).status == "ok"
    shop.execute("update plain set v = 'b' where parent = 201 and line = 1")
    assert shop.land(hashed | {"INGEST_HASH_KEY": "two"}).status == "ok"
    ((different,),) = shop.warehouse("select count(distinct v) from {raw}.plain where line = 2 or parent = 201")
    assert different == 1, "the same text has one hash"


def test_rows_that_somebody_took_out_of_the_warehouse_come_back(shop: Lane) -> None:
    shop.warehouse("delete from {raw}.parents where id < 10 returning 1")
    shop.land(LOG)
    assert_equal(shop)


def test_a_table_that_is_left_out_for_a_while_is_read_whole_afterwards(shop: Lane) -> None:
    shop.execute("update other set v = 5")
    assert shop.land(LOG, include=("plain",)).status == "ok"
    assert "other" in loaded(shop.land(LOG))
    assert_equal(shop)


# what the log does not name


@pytest.mark.parametrize("how", ["with --full", "after INGEST_FULL_EVERY_HOURS"])
@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside rows that are named"])
def test_rows_that_the_log_does_not_name_are_found_and_reported(shop: Lane, how: str, others: bool) -> None:
    """Two rows are changed with ``sql_log_bin = 0``."""
    shop.execute(
        "set sql_log_bin = 0", "update parents set v = -1 where id = 260", "delete from plain where parent = 250"
    )
    if others:
        shop.execute("update parents set v = -2 where id = 261", "update plain set v = 'named' where parent = 251")
    loaded(shop.land(LOG))
    assert shop.warehouse("select v from {raw}.parents where id in (260, 261) order by id") == [
        (260,),
        (-2 if others else 261,),
    ]
    assert shop.warehouse("select count(*) from {raw}.plain where parent = 250") == [(2,)]
    if others:  # rows are named in the window of the compare, too
        shop.execute("update parents set v = -3 where id = 262", "update plain set v = 'too' where parent = 252")
    full = how == "with --full"
    report = shop.land(LOG | ({} if full else {"INGEST_FULL_EVERY_HOURS": "0"}), full_compare=full)
    assert report.status == "ok"
    notes = {table.source_table: " ".join(table.notes) for table in report.tables if "did not name" in str(table.notes)}
    assert notes.keys() == {"parents", "plain"}
    assert notes["parents"].startswith("1 rows differ that the binary log did not name")
    assert notes["plain"].startswith("2 rows differ that the binary log did not name")
    assert_equal(shop)


# as in any landing


def test_values_that_cannot_be_held_fail_a_strict_landing_by_the_log(shop: Lane) -> None:
    shop.execute("create table dated (id int primary key, day date)", "insert into dated values (1, '2003-01-01')")
    assert shop.land(LOG).status == "ok"
    shop.execute("set sql_mode = ''", "insert into dated values (2, '0000-00-00')")
    for _ in range(2):
        report = shop.land(LOG, strict=True)
        assert [table.source_table for table in report.tables if table.status == "failed"] == ["dated"]
    (table,) = (table for table in shop.land(LOG).tables if table.source_table == "dated")
    assert (table.status, table.inserted, table.cast_exceptions) == ("landed", 1, 1)
    assert "dated" not in loaded(shop.land(LOG))
    shop.execute(
        "set sql_mode = ''", "update dated set day = '2004-00-00' where id = 1", "delete from dated where id = 2"
    )
    assert loaded(shop.land(LOG))["dated"] == 1
    assert shop.warehouse("select original_text from {raw}._landing_exceptions") == [("2004-00-00",)]
    report = shop.land(LOG, strict=True)
    assert [table.source_table for table in report.tables if table.status == "failed"] == ["dated"], "nothing changed"


def test_views_land_each_time(shop: Lane) -> None:
    shop.execute("create view seen as select p.id, p.v, o.v w from parents p join other o on o.id = p.id")
    views = LOG | {"INGEST_VIEWS": "true"}
    assert shop.land(views).status == "ok"
    shop.execute("update other set v = 1000 where id = 2")
    assert loaded(shop.land(views)).keys() - {"old"} == {"other", "seen"}
    assert shop.warehouse("select w from {raw}.seen where id = 2") == [(1000,)]


def test_columns_that_are_hashed_or_left_out_land_by_the_log(shop: Lane) -> None:
    settings = LOG | {
        **{"INGEST_HASH_COLUMNS": "plain.v, named.name", "INGEST_HASH_KEY": "one"},
        "INGEST_EXCLUDE_COLUMNS": "parents.code",
    }
    assert shop.land(settings, accept_drift=True).status == "ok"
    assert loaded(shop.land(settings)) in ({}, {"old": 2})
    shop.execute(
        *("update plain set v = 'b' where parent = 201", "update parents set v = 9 where id = 300"),
        *("update named set name = 'c' where name = 'a'", "update parents set code = -1 where id = 299"),
    )
    found = loaded(shop.land(settings))
    assert {"parents": 2, "plain": 2, "named": 2}.items() <= found.items()
    assert shop.warehouse("select count(distinct v) from {raw}.plain where parent = 201 or line = 2") == [(1,)]
    assert shop.warehouse("select v from {raw}.parents where id = 300") == [(9,)]
    ((texts,),) = shop.warehouse("select string_agg(name, '') from {raw}.named")
    assert len(texts) > 40, "hashes, not texts"
    before = shop.warehouse("select * from {raw}.plain order by parent, line")
    report = shop.land(settings, full_compare=True)
    assert not any(table.inserted or table.updated or table.deleted for table in report.tables)
    assert shop.warehouse("select * from {raw}.plain order by parent, line") == before


def test_an_incremental_table_is_read_from_its_change_column(shop: Lane) -> None:
    """Its own rule holds: rows that the log names and the column does not are found by the weekly compare."""
    settings = LOG | {"INGEST_INCREMENTAL": "events.at"}
    shop.execute(
        "create table events (id int primary key, v int, at datetime)",
        f"insert into events select seq, 1, '2005-01-01' + interval seq hour from {numbers(200)}",
    )
    assert shop.land(settings).status == "ok"
    shop.execute("update events set v = 2, at = '2005-02-01' where id = 4", "update other set v = 3 where id = 1")
    report = shop.land(settings)
    assert loaded(report)["other"] == 1
    assert shop.warehouse("select v from {raw}.events where id = 4") == [(2,)]
    shop.execute("update events set v = 3 where id = 5", "delete from events where id = 6")
    assert shop.land(settings).status == "ok"
    assert shop.land(settings, full_compare=True).status == "ok"
    assert_equal(shop)
    shop.execute("update events set v = 7 where id = 7")
    assert shop.land(LOG).status == "ok"  # incremental no more: from here on the log names its rows
    assert_equal(shop)


def test_somebody_who_was_erased_stays_away_when_the_log_names_the_row(shop: Lane) -> None:
    shop.execute(
        "create table people (id int primary key, name varchar(20), v int)",
        "insert into people values (1, 'Ann', 1), (2, 'Bea', 2)",
    )
    assert shop.land(LOG).status == "ok"
    schema, key = f"erasure_{shop.database}", "a key of the tests"
    made = (PROJECT / "privacy" / "erasure.sql").read_text(encoding="utf-8").replace("{{ erasure }}", schema)
    try:
        shop.servers.query(
            made,
            f"insert into {schema}.suppressions values"
            f" ('customer', '{subject_hash(key, 'customer', '1')}', '{key_check(key)}')",
            f"insert into {schema}.erased_columns values ('customer', 'people', 'id', 'name')",
        )
        assert shop.land(LOG | {"ERASURE_KEY": key}).status == "ok"
        assert shop.warehouse("select name from {raw}.people order by id") == [("erased",), ("Bea",)]
        shop.execute("update people set name = concat(name, ' C.'), v = v + 10")
        assert loaded(shop.land(LOG | {"ERASURE_KEY": key}))["people"] == 2
        assert shop.warehouse("select name, v from {raw}.people order by id") == [("erased", 11), ("Bea C.", 12)]
        with pytest.raises(SettingsError, match="ERASURE_KEY"):
            shop.land(LOG)
    finally:
        shop.servers.query(f"drop schema if exists {schema} cascade")


# following


def test_a_follower_lands_each_commit_soon_and_ends_with_all_of_them(items: Lane) -> None:
    reports: list[LandingReport] = []

    class Enough(Exception):
        pass

    def landed(report: LandingReport) -> None:
        reports.append(report)
        if done.is_set():
            raise Enough

    done = threading.Event()
    settings = from_environment(items.environment | LOG)

    def run() -> None:
        with contextlib.suppress(Enough):
            follow(settings, landed)

    follower = threading.Thread(target=run)
    follower.start()
    with writing(items, writers=2, seconds=4):
        pass
    time.sleep(1)
    assert_equal(items)
    done.set()
    items.execute("insert into items values (100000, 1)")
    follower.join(10)
    assert not follower.is_alive()
    assert len(reports) > 5
    lags = items.warehouse("select extract(epoch from finished_at - changed_at)::float from {raw}._landing_runs")
    assert all(0 <= lag < 5 for (lag,) in lags if lag is not None)
