"""The reader of the binary log, on any MySQL: the keys it names are those of the rows that changed, and never less."""

import contextlib
import dataclasses
import itertools
import os
import random
import secrets
import signal
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from landing.mysql import binlog, packets
from landing.mysql.binlog import ConnectionLost, KeyColumn, LogUnreadable, Position, Transaction
from sandbox import __main__ as sandbox
from sandbox import home, mysql
from tests.conftest import Lane, make_user, numbers

PASSWORD = secrets.token_hex(8)
ID = 4711
WHOLE_NUMBERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
Keys = dict[str, set[int] | None]
_names = itertools.count()


@dataclasses.dataclass
class Log:
    """The log of the test's server, read by an account that may do nothing else."""

    lane: Lane
    login: dict[str, Any]
    key_columns: dict[tuple[str, str], KeyColumn] = dataclasses.field(default_factory=dict)
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Ends the readers that wait."""

    def do(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a new session with all rights; the rows of the last."""
        state = home.read_state()[mysql.NAME]
        login = {"user": state.get("admin", "sandbox_admin"), "password": state["admin_password"]}
        where = {name: self.login[name] for name in ("host", "port", "ssl_disabled")}
        connection = pymysql.connect(**login, **where, database=self.lane.database, autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """A global setting of the server, for a while."""
        ((before,),) = self.do(f"select @@global.{name}")
        self.do(f"set global {name} = {value}")
        try:
            yield
        finally:
            self.do(f"set global {name} = '{before}'" if isinstance(before, str) else f"set global {name} = {before}")

    def head(self) -> Position:
        file, size = self.do("show binary logs")[-1][:2]
        return binlog.position_at(self.login, file, size, ID)

    def table(self, columns: str, name: str = "", key: str = "id", more: str = "") -> str:
        """A new table; its keys are wanted from the log."""
        name = name or f"t{next(_names)}"
        self.do(f"create table {name} ({columns}) {more}")
        ((place, kind),) = self.do(
            "select ordinal_position, column_type from information_schema.columns"
            f" where table_schema = database() and table_name = '{name}' and column_name = '{key}'"
        )
        self.key_columns[self.lane.database, name] = KeyColumn(place - 1, "unsigned" in kind)
        return name

    def read(self, start: Position, **options: Any) -> list[Transaction]:
        return [found for found in binlog.read(self.login, self.key_columns, start, ID, **options) if found]

    def of(self, *statements: str) -> list[Transaction]:
        """The transactions of these statements of one connection."""
        start = self.head()
        self.do(*statements)
        return self.read(start)

    def keys(self, *statements: str) -> Keys:
        """What these statements changed in the test's own database, in one transaction or several."""
        found: Keys = {}
        for transaction in self.of(*statements):
            assert not transaction.everything, transaction
            for (database, table), keys in transaction.keys.items():
                assert database == self.lane.database
                found[table] = None if keys is None else (found.get(table) or set()) | keys
        return found


@pytest.fixture
def log(lane: Lane) -> Iterator[Log]:
    connection = lane.servers.mysql()
    with connection.cursor() as cursor:
        make_user(cursor, "follower", "127.0.0.1", PASSWORD)
        cursor.execute("grant replication slave on *.* to 'follower'@'127.0.0.1'")
    connection.close()
    where = {"host": lane.environment["MYSQL_HOST"], "port": int(lane.environment["MYSQL_PORT"])}
    login = where | {"user": "follower", "password": PASSWORD.encode(), "database": "nowhere", "ssl_disabled": True}
    log = Log(lane, login)
    yield log
    log.stop.set()


# which keys

COLUMNS = (
    *(f"{kind}{sign}" for kind in WHOLE_NUMBERS for sign in ("", " unsigned")),
    *("float", "float(9, 3)", "double", "year", "date", "bit(1)", "bit(8)", "bit(17)", "bit(64)"),
    *(f"{kind}({digits})" for kind in ("time", "datetime") for digits in range(7)),
    *(f"timestamp({digits}) null" for digits in range(7)),
    *(f"decimal({total}, {behind})" for total, behind in ((1, 0), (9, 9), (10, 2), (18, 9), (30, 7), (65, 30))),
    *("char(0)", "char(60)", "char(64)", "char(255)", "char(255) character set latin1", "binary(255)"),
    *("varchar(60)", "varchar(64)", "varchar(300)", "varchar(255) character set latin1", "varbinary(256)"),
    *(f"{size}{kind}" for size in ("tiny", "", "medium", "long") for kind in ("text", "blob")),
    *("enum('', 'x')", "set('a', 'b', 'c')", "geometry", "point"),
    "enum(" + ", ".join(f"'{n}'" for n in range(300)) + ")",
    "set(" + ", ".join(f"'{n}'" for n in range(40)) + ")",
)
OF_MARIADB = (
    *("uuid", "inet6", "inet4", "json", "int as (1) virtual", "int as (2) stored"),
    *("varchar(255) compressed character set latin1", "varchar(254) compressed", "text compressed", "blob compressed"),
)


def value(kind: str, draw: random.Random) -> str:
    """A value of the type in SQL, drawn; often none."""
    name = kind.split("(")[0].split(" ")[0]
    text = f"'{''.join(draw.choices('abcé', k=draw.randrange(40)))}'"
    values: dict[str, Callable[[], str]] = {
        "year": lambda: "2024",
        "date": lambda: "'2024-02-29'",
        "time": lambda: "'-10:11:12.123456'",
        "datetime": lambda: "'2024-01-02 03:04:05.678901'",
        "timestamp": lambda: "'2024-01-02 03:04:05.678901'",
        "decimal": lambda: "0.5",
        "float": lambda: "1.5e0",
        "double": lambda: "-2.5e300",
        "bit": lambda: "1",
        "enum": lambda: str(draw.choice((1, 2))),
        "set": lambda: str(draw.choice((0, 1, 7))),
        "geometry": lambda: "geomfromtext('linestring(1 1, 2 2, 3 3)')",
        "point": lambda: "geomfromtext('point(1 1)')",
        "uuid": lambda: "uuid()",
        "inet6": lambda: "'::1'",
        "inet4": lambda: "'1.2.3.4'",
        "json": lambda: "'{}'",
        "char": lambda: "''" if kind == "char(0)" else text,
    }
    if name in WHOLE_NUMBERS:
        return "default" if "virtual" in kind or "stored" in kind else str(draw.randrange(100))
    if draw.random() < 0.3:
        return "null"
    if name not in values and "tiny" not in name and draw.random() < 0.2:  # a long one
        return f"repeat('x', {60 if '60' in kind or '64' in kind else 250})"
    return values.get(name, lambda: text)()


@pytest.mark.parametrize("image", ["full", "minimal", "noblob"])
@pytest.mark.parametrize("key", ["smallint", "mediumint unsigned", "bigint"])
def test_the_key_is_found_among_columns_of_every_type(log: Log, key: str, image: str) -> None:
    draw = random.Random(f"{key} {image}")
    kinds = [*COLUMNS, *(OF_MARIADB if log.lane.servers.is_mariadb else ())]
    draw.shuffle(kinds)
    columns = [f"c{n} {kind}" for n, kind in enumerate(kinds)]
    columns.insert(len(columns) // 2, f"id {key} primary key")
    table = log.table(", ".join(columns), more="row_format = dynamic")
    names = ", ".join(f"c{n}" for n in range(len(kinds)))

    def row(number: int) -> str:
        return f"({number}, {', '.join(value(kind, draw) for kind in kinds)})"

    def changed(*statements: str) -> Keys:
        return log.keys("set sql_mode = ''", f"set session binlog_row_image = {image}", *statements)

    rows = ", ".join(row(number) for number in range(1, 41))
    assert changed(f"insert into {table} (id, {names}) values {rows}") == {table: set(range(1, 41))}
    for number in range(1, 41, 7):
        at = draw.randrange(len(kinds))
        if not kinds[at].startswith("int as"):
            log.do("set sql_mode = ''", f"update {table} set c{at} = null where id = {number}")
            new = next(new for new in (value(kinds[at], draw) for _ in range(99)) if new != "null")
            changed_one = changed(f"update {table} set c{at} = {new} where id = {number}")
            assert changed_one == {table: {number}}, kinds[at]
    assert changed(f"update {table} set id = id + 100 where id between 5 and 9") == {
        table: {*range(5, 10), *range(105, 110)}
    }
    assert changed(f"delete from {table} where id > 30") == {table: {*range(31, 41), *range(105, 110)}}
    assert log.do(f"select count(*) from {table}") == [(25,)]


@pytest.mark.parametrize("kind", WHOLE_NUMBERS)
def test_a_key_is_read_to_its_last_bit(log: Log, kind: str) -> None:
    bits = WHOLE_NUMBERS[kind]
    for unsigned, ends in (
        ("", (-(1 << bits - 1), -1, (1 << bits - 1) - 1)),
        ("unsigned", (1 << bits - 1, (1 << bits) - 1)),
    ):
        table = log.table(f"v int, id {kind} {unsigned} primary key, w varchar(9)")
        assert log.keys(f"insert into {table} (id) values {', '.join(f'({end})' for end in ends)}") == {
            table: set(ends)
        }


def test_a_key_that_the_log_does_not_have_makes_all_rows_suspect(log: Log) -> None:
    """Asked for the columns that a statement names, the log has no key of a row that took its default."""
    table = log.table("v int, id int not null default 5, primary key (id)")
    minimal = "set session binlog_row_image = minimal"
    assert log.keys(minimal, f"insert into {table} (v) values (1)") == {table: None}
    assert log.keys(minimal, f"insert into {table} (v, id) values (1, 6)") == {table: {6}}
    assert log.keys(minimal, f"update {table} set v = 2") == {table: {5, 6}}
    assert log.keys(minimal, f"delete from {table}") == {table: {5, 6}}
    assert log.keys(f"insert into {table} (v) values (1)") == {table: {5}}


def test_a_table_whose_key_is_not_a_known_whole_number(log: Log) -> None:
    nullable = log.table("id int, v varchar(20), unique (id)")
    assert log.keys(f"insert into {nullable} values (1, 'x')") == {nullable: {1}}
    as_if_a_key = "concat('abc', char(2), 'xy')"  # with a number before it, the row would end at the same place
    assert log.keys(f"insert into {nullable} values (null, {as_if_a_key})") == {nullable: None}
    text = log.table("id varchar(9) primary key")
    year = log.table("id year primary key")
    gone = log.table("id int primary key")
    log.key_columns[log.lane.database, gone] = KeyColumn(7, False)
    assert log.keys(f"insert into {text} values ('a')", f"insert into {year} values (2024)") == {text: None, year: None}
    assert log.keys(f"insert into {gone} values (1)") == {gone: None}


def test_times_of_old_have_no_length_on_mariadb(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere they have no fraction; so this test takes none, and MariaDB for another server."""
    if not log.lane.servers.is_mariadb:
        pytest.skip("makes no such columns")
    with log.setting("mysql56_temporal_format", "0"):
        table = log.table("a datetime, b timestamp null, c time, id int primary key, d datetime")
        fraction = log.table("a datetime(3), id int primary key")
    insert = f"insert into {table} values (now(), now(), '10:00', 7, now()), (now(), null, '10:00', 8, null)"
    start = log.head()
    assert log.keys(insert, f"insert into {fraction} values (now(3), 7)") == {table: None, fraction: None}
    monkeypatch.setattr(binlog, "_MARIADB", b"another")
    (first, second) = log.read(start)
    assert first.keys == {(log.lane.database, table): {7, 8}}
    assert second.keys == {(log.lane.database, fraction): None}, "its rows do not end where the event does"


@pytest.mark.parametrize("image", ["full", "minimal"])
def test_statements_that_change_a_row_in_other_ways(log: Log, image: str) -> None:
    table = log.table("id int primary key auto_increment, u int unique, v int")

    def changed(statement: str) -> Keys:
        return log.keys(f"set session binlog_row_image = {image}", statement)

    assert changed(f"insert into {table} (u, v) values (1, 1), (2, 2), (3, 3)") in ({table: {1, 2, 3}}, {table: None})
    assert changed(f"replace into {table} values (1, 1, 9)") == {table: {1}}
    assert changed(f"replace into {table} values (7, 2, 9)") == {table: {2, 7}}
    assert changed(f"insert into {table} values (3, 9, 9) on duplicate key update id = 8") == {table: {3, 8}}
    assert changed(f"insert ignore into {table} values (1, 1, 1)") == {}
    assert changed(f"update {table} set v = 9 where id = 1") == {}
    assert changed(f"update {table} set id = id + 100") == {table: {1, 7, 8, 101, 107, 108}}


def test_the_first_row_of_each_event_is_enough_of_a_sample(log: Log) -> None:
    table = log.table("id int primary key, v int")
    start = log.head()
    log.do(f"insert into {table} values (1, 1), (2, 2)", f"update {table} set id = id + 10 where id = 2")
    found = [transaction.keys[log.lane.database, table] for transaction in log.read(start, sample=True)]
    assert found == [{1}, {2, 12}]


def test_a_transaction_of_300_000_rows_takes_no_more_memory_than_its_cap(log: Log) -> None:
    table, other = log.table("id int primary key"), log.table("id int primary key")
    start = log.head()
    rows = f"insert into {table} select seq from {numbers(300_000)}"
    log.do("begin", rows, f"insert into {other} values (1)", "commit")
    tracemalloc.start()
    (transaction,) = log.read(start, most_keys=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert transaction.keys == {(log.lane.database, table): None, (log.lane.database, other): {1}}
    assert peak < 4_000_000  # all keys: 25 MB
    (transaction,) = log.read(start, most_keys=300_000)
    assert transaction.keys[log.lane.database, table] == set(range(1, 300_001))


# which transaction


def test_transactions_end_where_they_are_committed(log: Log) -> None:
    one, two = log.table("id int primary key"), log.table("id int primary key, v int")
    kept = log.table("id int primary key", more="engine = myisam")
    log.do(f"insert into {two} values (9, 9)")
    start = log.head()
    log.do(
        *("begin", f"insert into {one} values (1)", f"update {two} set v = 1", f"delete from {one}", "commit"),
        *("begin", f"insert into {one} values (2)", "savepoint s", f"insert into {one} values (3)"),
        *("rollback to s", f"insert into {one} values (4)", "release savepoint s", "commit"),
        *("begin", f"insert into {one} values (5)", "rollback"),
        f"insert into {kept} values (6)",
        *("begin", f"insert into {one} values (7)", f"insert into {kept} values (8)", "rollback"),
        f"insert into {one} values (10)",
    )
    found = log.read(start)
    assert not any(transaction.everything for transaction in found)
    keys = [{name: keys for (_, name), keys in transaction.keys.items()} for transaction in found]
    merged = keys[3] | (keys[4] if len(keys) == 6 else {})
    assert keys[:3] == [{one: {1}, two: {9}}, {one: {2, 4}}, {kept: {6}}]
    assert merged == {kept: {8}} and keys[-1] == {one: {10}}
    assert [{name for _, name in transaction.parents} for transaction in found[:3]] == [{one, two}, set(), set()]
    ends = [start, *(transaction.end for transaction in found)]
    assert all(a.is_before(b) and not b.is_before(a) for a, b in itertools.pairwise(ends))
    assert ends[-1] == log.head()
    for n, end in enumerate(ends):  # it is a place to go on from
        assert log.read(end) == found[n:]


def test_a_transaction_without_its_end_is_none(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """However early the log ends."""
    table = log.table("id int primary key")
    start = log.head()
    log.do("begin", f"insert into {table} values (1)", f"insert into {table} values (2)", "commit")
    log.do(f"insert into {table} values (3)", f"truncate {table}")
    found = log.read(start)
    assert len(found) == 3
    whole = packets.events_of
    events = list(events_between(log, start))
    ends = [next(n for n, event in enumerate(events) if end_of(event) == f.end.offset) for f in found]
    for count in range(len(events)):
        monkeypatch.setattr(packets, "events_of", lambda *args, count=count: itertools.islice(whole(*args), count))
        assert log.read(start) == found[: sum(end < count for end in ends)]


def test_xa_is_told_at_prepare_and_all_is_suspect_at_commit(log: Log) -> None:
    table = log.table("id int primary key")
    xa = ("xa start 'x'", f"insert into {table} values ({{}})", "xa end 'x'")
    prepared = [word.format(1) for word in xa] + ["xa prepare 'x'", "xa commit 'x'"]
    at_once = [word.format(2) for word in xa] + ["xa commit 'x' one phase"]
    start = log.head()
    log.do(*prepared, *at_once, f"insert into {table} values (3)")
    found = log.read(start)
    keys = [transaction.keys.get((log.lane.database, table)) for transaction in found]
    assert [found for found in keys if found] == [{1}, {2}, {3}]
    reasons = [transaction.everything for transaction in found]
    if log.lane.servers.is_mariadb:  # MySQL has had this event since 5.7
        assert reasons == ["", "a statement: XA COMMIT", "", ""]
        start = log.head()
        log.do(*[word.format(4) for word in xa], "xa prepare 'x'", "xa rollback 'x'")
        assert [transaction.everything for transaction in log.read(start)] == ["", "a statement: XA ROLLBACK"]
    else:
        assert reasons == ["", "", ""]


def test_tables_of_other_databases_are_named_without_keys(log: Log) -> None:
    table = log.table("id int primary key")
    other = f"{log.lane.database}_other"
    try:
        log.do(f"create database {other}", f"create table {other}.{table} (id int primary key)")
        start = log.head()
        log.do("begin", f"insert into {other}.{table} values (1)", f"insert into {table} values (2)")
        log.do(f"insert into {other}.{table} values (3)", f"delete from {other}.{table}")
        first, second = log.read(start)
        assert first.keys == second.keys == {(other, table): None}
        assert (first.parents, second.parents) == (set(), {(other, table)})
    finally:
        log.do(f"drop database {other}")


# statements

SUSPECT = {
    "truncate {}": "TRUNCATE",
    "alter table {} add column x int": "ALTER TABLE",
    "/* a comment */ Alter /*!40000 Table */ {} add y int -- '": "ALTER TABLE",
    "drop table {}": "DROP TABLE",
    "rename table {} to {}_b": "RENAME TABLE",
    "create table {}_b (id int)": "CREATE TABLE",
    "create table {}_b select * from {}": "CREATE TABLE",
    "repair table {}": "REPAIR TABLE",
}
QUIET = (
    "analyze table {}",
    "optimize table {}",
    "flush tables",
    "create user 'someone'@'127.0.0.1' identified by 'a secret'",
    "grant select on *.* to 'someone'@'127.0.0.1'",
    "set password for 'someone'@'127.0.0.1' = password('a secret')",
    "revoke select on *.* from 'someone'@'127.0.0.1'",
    "/*! DROP */ user 'someone'@'127.0.0.1'",
    "create database if not exists information_of_nobody",
)


@pytest.mark.parametrize("statement", SUSPECT)
def test_a_statement_that_may_change_any_table(log: Log, statement: str) -> None:
    table = log.table("id int primary key")
    log.do(f"insert into {table} values (1)")
    found = log.of(statement.replace("{}", table), f"insert into {log.table('id int primary key')} values (7)")
    reasons = [transaction.everything for transaction in found]
    assert reasons[:1] == [f"a statement: {SUSPECT[statement]}"] and reasons[-1] == ""
    assert list(found[-1].keys.values()) == [{7}], "the transaction after it is one of its own"


def test_statements_that_change_no_row(log: Log) -> None:
    table = log.table("id int primary key")
    start = log.head()
    try:
        log.do(*(statement.replace("{}", table) for statement in QUIET))
    finally:
        log.do("drop database information_of_nobody")
    found = log.read(start)
    assert [transaction.everything for transaction in found] == [""] * (len(found) - 1) + ["a statement: DROP DATABASE"]
    assert len(found) > 6 and found[-1].end == log.head()
    assert not any(keys for transaction in found for keys in transaction.keys.values())


def test_statements_in_the_log_instead_of_rows(log: Log) -> None:
    table = log.table("id int primary key, v varchar(40)")
    start = log.head()
    log.do(
        "set session binlog_format = statement",
        f"insert into {table} values (1, 'a secret')",
        *("begin", f"update {table} set v = 'a secret'", f"delete from {table}", "commit"),
        *("create temporary table s (id int)", "insert into s values (1)", "drop temporary table s"),
    )
    reasons = [transaction.everything for transaction in log.read(start)]
    assert reasons[:2] == ["a statement: INSERT INTO", "a statement: UPDATE"]
    assert set(reasons[2:]) == {"", "a statement: INSERT INTO"} and reasons[2] == reasons[-1] == ""


def test_statements_of_a_transaction_that_was_rolled_back_in_part(log: Log) -> None:
    """The log has them if one has changed a table that keeps its changes."""
    table, kept = log.table("id int primary key"), log.table("id int primary key", more="engine = myisam")
    start = log.head()
    log.do(
        "set session binlog_format = statement",
        *("begin", f"insert into {table} values (1)", f"insert into {kept} values (1)", "rollback"),
        *("begin", f"insert into {table} values (2)", "savepoint s", f"insert into {kept} values (2)"),
        *("rollback to s", f"insert into {table} values (3)", "commit"),
    )
    log.do(f"insert into {table} values (4)")
    found = log.read(start)
    assert {b"ROLLBACK", b"ROLLBACK TO `s`"} <= {
        event[-4 - n : -4] for event in events_between(log, start) for n in (8, 15)
    }
    assert [transaction.everything for transaction in found] == ["a statement: INSERT INTO"] * 2 + [""]
    assert found[-1].keys == {(log.lane.database, table): {4}}


def test_a_temporary_table_made_by_a_select_may_change_others(log: Log) -> None:
    table = log.table("id int primary key")
    log.do(
        "create function f() returns int deterministic modifies sql data"
        f" begin insert into {table} values (1); return 1; end"
    )
    if not log.lane.servers.is_mariadb:
        pytest.skip("has refused it since 5.6")
    start = log.head()
    log.do("set session binlog_format = statement", "create temporary table s select f()")
    assert log.do(f"select * from {table}") == [(1,)]
    assert "a statement: CREATE" in [transaction.everything for transaction in log.read(start)]


# files


@pytest.mark.parametrize("checksum", ["none", "crc32"])
def test_files_that_end_and_checksums_that_come_and_go(log: Log, checksum: str) -> None:
    table = log.table("id int primary key, v varchar(20)")
    start = log.head()
    with log.setting("binlog_checksum", checksum):
        log.do(f"insert into {table} values (1, 'x')", "flush logs", f"insert into {table} values (2, 'y')")
        middle = log.head()
        log.do(f"insert into {table} values (3, 'z')")
    log.do(f"insert into {table} values (4, '')", "flush logs", f"truncate {table}")
    found = log.read(start)
    assert [keys for transaction in found for keys in transaction.keys.values()] == [{1}, {2}, {3}, {4}]
    assert found[-1].everything == "a statement: TRUNCATE" and found[-1].end == log.head()
    files = [transaction.end.file for transaction in found]
    assert files == sorted(files) and len(set(files)) >= 3
    assert log.read(middle) == found[-len(log.read(middle)) :]
    assert log.read(Position(files[1], 4, 0))[0].keys == {(log.lane.database, table): {2}}


def test_events_that_mariadb_compressed(log: Log) -> None:
    if not log.lane.servers.is_mariadb:
        pytest.skip("compresses none")
    table = log.table("id int primary key, v varchar(2000), w int")
    other = f"{table}_x{'x' * 30}"
    with log.setting("log_bin_compress", "1"), log.setting("log_bin_compress_min_len", "10"):
        start = log.head()
        log.do(
            f"insert into {table} values (1, repeat('x', 2000), 1), (2, repeat('y', 2000), 2)",
            f"update {table} set id = id + 10, w = w + 1",
            f"delete from {table} where id = 11",
            f"create table {other} (id int primary key, {', '.join(f'column_{n} int' for n in range(50))})",
            "flush tables",
        )
    found = log.read(start)
    assert {165, 166, 167, 168} <= {event[4] for event in events_between(log, start)}
    keys = [transaction.keys.get((log.lane.database, table)) for transaction in found]
    assert [found for found in keys if found] == [{1, 2}, {1, 2, 11, 12}, {11}]
    assert [found.everything for found in found if found.everything] == ["a statement: CREATE TABLE"]


def test_a_file_that_is_gone(log: Log) -> None:
    start = log.head()
    log.do("flush logs")
    end = log.head()
    for _ in range(100):
        log.do(f"purge binary logs to '{end.file}'")
        if log.do("show binary logs")[0][0] == end.file:
            break
        time.sleep(0.1)  # MariaDB: until the storage engine has written what the file tells
    with pytest.raises(LogUnreadable, match=f"{start.file}:{start.offset} is not in the binary log .*purged"):
        log.read(start)
    for where in (dataclasses.replace(end, offset=end.offset + 999), dataclasses.replace(end, file="binlog.000000")):
        with pytest.raises(LogUnreadable, match="is not in the binary log .*purged"):
            log.read(where)
    assert log.read(end) == []


def test_another_file_of_the_same_name(log: Log) -> None:
    """The server's logs were reset: the place is there, and what follows it is not what followed then."""
    log.do("reset master")
    start = log.head()
    time.sleep(1.1)  # files are told apart by the second
    log.do("reset master")
    assert (log.head().file, log.head().offset) == (start.file, start.offset)
    with pytest.raises(LogUnreadable, match=f"{start.file} is another one than at the last landing: it was purged or"):
        log.read(start)
    assert log.read(dataclasses.replace(start, made_at=0)) == []


def test_a_file_over_4_gb(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has 32 bits for its end: it goes back to the beginning."""
    table = log.table("id int primary key")
    start = log.head()
    log.do(f"insert into {table} values (1)", f"insert into {table} values (2)")
    first, second = log.read(start)
    whole = packets.events_of

    def beyond(*args: Any) -> Iterator[bytes | None]:
        for event in whole(*args):
            assert event
            goes_back = end_of(event) > first.end.offset
            yield event[:13] + struct.pack("<I", end_of(event) - first.end.offset) + event[17:] if goes_back else event

    monkeypatch.setattr(packets, "events_of", beyond)
    found = binlog.read(log.login, log.key_columns, start, ID)
    assert next(found) == first
    with pytest.raises(LogUnreadable, match="over 4 GB.* max_binlog_size"):
        next(found)
    with pytest.raises(LogUnreadable, match="over 4 GB.* max_binlog_size"):
        log.read(dataclasses.replace(start, offset=1 << 32))


@pytest.mark.parametrize("kind", [17, 26, 40, 99, 200])
def test_an_event_that_nobody_knows(log: Log, monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    """Such as transactions that MySQL 8 compressed (40)."""
    table = log.table("id int primary key")
    start = log.head()
    log.do(f"insert into {table} values (1)", f"insert into {table} values (2)")
    whole = packets.events_of

    def strange(*args: Any) -> Iterator[bytes | None]:
        return (
            event and (event[:4] + bytes([kind]) + event[5:] if event[4] in (23, 30) else event)
            for event in whole(*args)
        )

    monkeypatch.setattr(packets, "events_of", strange)
    found = log.read(start)
    assert [transaction.everything for transaction in found] == [f"an event of type {kind}"] * 2
    assert found[-1].end == log.head()


def events_between(log: Log, start: Position) -> Iterator[bytes]:
    connection = pymysql.connect(**log.login | {"database": None})
    with connection:
        with connection.cursor() as cursor:
            cursor.execute(binlog._SESSION)
        for event in packets.events_of(connection, start.file, start.offset, ID, False, 30):
            assert event
            yield event


def end_of(event: bytes) -> int:
    return int.from_bytes(event[13:17], "little")


# who may read, and for how long


def test_an_account_without_the_privilege(log: Log) -> None:
    start = log.head()
    log.do("revoke replication slave on *.* from 'follower'@'127.0.0.1'")
    with pytest.raises(LogUnreadable, match="user 'follower' may not read the binary log. GRANT REPLICATION SLAVE"):
        log.read(start)


def test_a_login_or_server_that_is_wrong(log: Log) -> None:
    start = log.head()
    with pytest.raises(LogUnreadable, match=r"stopped with error 1045 \(ACCESS_DENIED_ERROR\)") as refusal:
        list(binlog.read(log.login | {"password": b"wrong"}, {}, start, ID))
    assert not isinstance(refusal.value, ConnectionLost)
    with pytest.raises(ConnectionLost, match="lost or refused"):
        list(binlog.read(log.login | {"port": 1}, {}, start, ID))


class Follower(threading.Thread):
    """A reader that waits. ``seen`` has what it yielded, and when."""

    def __init__(self, log: Log, start: Position):
        super().__init__(daemon=True)
        self.seen: list[tuple[float, Transaction | None]] = []
        self.error: LogUnreadable | None = None
        self.ended = 0.0
        self._found = binlog.read(log.login, log.key_columns, start, ID, wait=True, aborted=log.stop)
        self.start()

    def run(self) -> None:
        try:
            for found in self._found:
                self.seen.append((time.monotonic(), found))
        except LogUnreadable as error:
            self.error = error
        self.ended = time.monotonic()

    def wait_for(self, condition: Callable[[], Any]) -> None:
        until = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < until and self.is_alive(), (self.seen, self.error)
            time.sleep(0.01)


def test_a_reader_that_waits_has_a_commit_within_a_second(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binlog, "_PATIENCE", 2)  # a server at rest is not lost: it sends heartbeats
    table = log.table("id int primary key")
    follower = Follower(log, log.head())
    follower.wait_for(lambda: len(follower.seen) >= 3)
    (first, nothing), (second, nothing_again) = follower.seen[:2]
    assert (nothing, nothing_again) == (None, None) and 0.4 < second - first < 1.9
    log.do(f"insert into {table} values (1)", "flush logs", f"insert into {table} values (2)")
    done = time.monotonic()
    follower.wait_for(lambda: sum(bool(found and found.keys) for _, found in follower.seen) == 2)
    at, keys = zip(*((at, *found.keys.values()) for at, found in follower.seen if found and found.keys), strict=True)
    assert keys == ({1}, {2}) and at[1] - done < 1
    log.stop.set()
    follower.join(3)
    assert "was stopped" in str(follower.error)


def test_a_reader_that_waits_can_look_up_while_a_long_transaction_arrives(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = log.table("id int primary key, v char(200)")
    start = log.head()
    log.do(f"insert into {table} select seq, repeat('x', 200) from {numbers(1000)}")
    whole = packets.events_of

    def slow(*args: Any) -> Iterator[bytes | None]:
        for event in whole(*args):
            yield event
            time.sleep(0.05)

    monkeypatch.setattr(packets, "events_of", slow)
    follower = Follower(log, start)
    follower.wait_for(lambda: any(found for _, found in follower.seen))
    assert [found for _, found in follower.seen].index(None) == 0


@pytest.mark.parametrize("files", [1, 3])
def test_a_reader_that_waits_notices_that_the_log_was_reset(
    log: Log, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """MySQL 5.6 would wait at the end of the file that is gone, for ever and with heartbeats."""
    monkeypatch.setattr(binlog, "_LOOK_AGAIN", 2)
    table = log.table("id int primary key")
    log.do("reset master", *["flush logs"] * (files - 1), f"insert into {table} values (1)")
    time.sleep(1.1)  # files are told apart by the second
    start = log.head()
    follower = Follower(log, start)
    follower.wait_for(lambda: follower.seen)
    log.do("reset master", f"insert into {table} values (2)")
    follower.join(8)
    assert follower.error and not any(found for _, found in follower.seen)
    with pytest.raises(LogUnreadable, match="reset, or this is another server") as refusal:
        log.read(start)
    assert not isinstance(refusal.value, ConnectionLost)


def test_mariadb_ends_the_log_of_a_reader_that_waits(log: Log) -> None:
    """When a new file of the same name has grown beyond the place. That is no end to be taken for one."""
    if not log.lane.servers.is_mariadb:
        pytest.skip("MySQL 5.6 does not")
    table = log.table("id int primary key")
    log.do("reset master")
    follower = Follower(log, log.head())
    follower.wait_for(lambda: follower.seen)
    log.do("reset master", *(f"insert into {table} values ({number})" for number in range(9)))
    follower.join(8)
    assert isinstance(follower.error, ConnectionLost)


def test_a_reader_that_waits_goes_on_after_it_looked_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binlog, "_LOOK_AGAIN", 1)
    opened: list[int] = []
    whole = packets.events_of

    def counted(*args: Any) -> Iterator[bytes | None]:
        opened.append(args[2])
        return whole(*args)

    monkeypatch.setattr(packets, "events_of", counted)
    table = log.table("id int primary key")
    follower = Follower(log, log.head())
    opened.clear()
    for number in range(2):
        before = len(opened)
        follower.wait_for(lambda before=before: len(opened) > before + 1)  # type: ignore[misc]
        log.do(f"insert into {table} values ({number})", "flush logs")
    follower.wait_for(lambda: sum(bool(found and found.keys) for _, found in follower.seen) >= 2)
    assert [keys for _, found in follower.seen if found for keys in found.keys.values()] == [{0}, {1}]


def test_two_readers_of_one_id_are_told(log: Log) -> None:
    if not log.lane.servers.is_mariadb:
        pytest.skip("MySQL 5.6 lets both go on")
    first = Follower(log, log.head())
    first.wait_for(lambda: first.seen)
    second = Follower(log, log.head())
    second.wait_for(lambda: second.seen)
    first.join(5)
    assert f"another reader of the binary log has the replication id {ID}" in str(first.error)
    assert second.is_alive()
    log.do(*(f"kill {id}" for (id,) in log.do(DUMPS)))
    second.join(5)
    assert isinstance(second.error, ConnectionLost)


DUMPS = "select id from information_schema.processlist where command = 'Binlog Dump'"


def test_the_server_is_killed_or_silent(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("TEST_MYSQL_HOST"):
        pytest.skip("that server is not ours to kill")
    pid = int((home.servers_home() / mysql.NAME / "data" / "server.pid").read_text())
    monkeypatch.setattr(binlog, "_PATIENCE", 2)
    follower = Follower(log, log.head())
    follower.wait_for(lambda: follower.seen)
    os.kill(pid, signal.SIGSTOP)
    try:
        follower.join(6)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert isinstance(follower.error, ConnectionLost)
    assert sum(found is None for _, found in follower.seen) >= 2
    start = log.head()
    follower = Follower(log, start)
    follower.wait_for(lambda: follower.seen)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    follower.join(5)
    assert isinstance(follower.error, ConnectionLost) and follower.ended - killed < 1
    with pytest.raises(ConnectionLost):
        log.read(start)
    sandbox.up()
    log.do(f"create table {log.lane.database}.after_it (id int)")
    port = int(log.lane.servers.environment["MYSQL_PORT"])
    log.login["port"] = home.read_state()[mysql.NAME]["port"]
    assert log.login["port"] == port, "the other tests know the server by this port"
    assert "a statement: CREATE TABLE" in {found.everything for found in log.read(start)}


def test_a_server_without_a_log(log: Log) -> None:
    if os.environ.get("TEST_MYSQL_HOST"):
        pytest.skip("that server is not ours to start anew")
    start, state = log.head(), home.read_state()[mysql.NAME]
    mysql.stop()
    mysql.launch(home.servers_home() / mysql.NAME, state, "--skip-log-bin")
    try:
        with pytest.raises(LogUnreadable, match="the server writes no binary log. Set log_bin there"):
            log.read(start)
    finally:
        mysql.stop()
        sandbox.up()


def test_a_position_is_a_text_and_back() -> None:
    position = Position("a:b.000009", 1234, 1700000000)
    assert str(position) == "a:b.000009:1234:1700000000" and Position.parse(str(position)) == position
    assert position.is_before(Position("a:b.1000000", 4, 0)) and not position.is_before(position)
    assert Position("x.000009", 5, 0).is_before(Position("x.000010", 4, 0))
    assert Position("x.000009", 5, 0).is_before(Position("x.000009", 6, 0))
