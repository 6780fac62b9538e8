"""A shop's tables in MySQL, what changes in them, and what is read back on both sides."""

import contextlib
import datetime
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pymysql

from sandbox import home
from tests.conftest import PROJECT, Lane, numbers
from tests.faults.stoppable import Point, Stoppable

CANARY = "CANARY7f3a"
"""In every text of the source; nowhere but in the raw tables may it be found."""
PASSWORD = "pw'CANARY@:/%#& é"
"""Of both servers' accounts: also a test that no character of a password gets in the way."""

TABLES = {
    "customers": "id, name, note, credit, since, photo",
    "orders": "id, customer_id, placed, line_count, total",
    "order_lines": "order_id, number, product, quantity, price",
    "log": "line, logged_at",
    "nothing": "id",
}
_CREATE = (
    "create table customers (id int primary key, name varchar(60) not null, note text, credit decimal(12,2),"
    " since date, photo blob)",
    "create table orders (id int primary key, customer_id int not null, placed datetime(6) not null,"
    " line_count int not null, total decimal(12,2) not null)",
    "create table order_lines (order_id int, number smallint, product varchar(60), quantity int, price decimal(10,2),"
    " primary key (order_id, number))",
    "create table log (line text, logged_at timestamp null)",
    "create table nothing (id int primary key)",
    f"insert into customers select seq, concat('{CANARY} ', seq), if(seq % 3, concat('a \"quoted\", ', char(10), seq), null),"
    f" seq * 1.25, '2003-01-01' + interval seq day, unhex(md5(seq)) from {numbers(200)}",
    "insert into orders select seq, seq % 200 + 1, '2004-05-06 07:08:09.123456' + interval seq hour, 3, seq * 6"
    f" from {numbers(400)}",
    f"insert into order_lines select o.seq, n.seq, concat('{CANARY} p', n.seq), 1, o.seq * n.seq"
    f" from {numbers(400, 'o')} join {numbers(3, 'n')}",
    f"insert into log select concat('{CANARY} ', seq % 50), '2005-01-01 00:00:00' + interval seq % 50 minute"
    f" from {numbers(100)}",
)
_CHANGE = (
    "update customers set credit = credit + 1, note = null where id % 20 = 0",
    "delete from order_lines where order_id <= 5",
    "delete from orders where id <= 5",
    "insert into orders values (9001, 1, '2006-01-01 00:00:00.5', 2, 30), (9002, 2, '2006-01-01 00:00:01', 1, 7)",
    f"insert into order_lines values (9001, 1, '{CANARY} new', 1, 10), (9001, 2, '{CANARY} new', 2, 10), (9002, 1, 'x', 1, 7)",
    "update orders set total = total + 0.5 where id in (10, 11)",
    "delete from log where line like '%7' limit 3",
    f"insert into log values ('{CANARY} again', null), ('{CANARY} again', null)",
    "insert into nothing values (1)",
)

State = dict[str, list[tuple[Any, ...]]]


class Shop:
    """A lane with the shop's tables, landed under an account whose password is a canary."""

    def __init__(self, lane: Lane, folder: Path):
        self.lane = lane
        self.folder = folder
        self.work = folder / "work"
        self.outputs: list[Path] = []
        self.landings: list[Stoppable] = []
        self.runs = 0
        """How many landings must be on record."""
        lane.execute(*_CREATE, f"grant select on {lane.database}.* to 'fault'@'127.0.0.1'")

    @property
    def environment(self) -> dict[str, str]:
        account = {"MYSQL_USER": "fault", "MYSQL_PASSWORD": PASSWORD, "PGUSER": "fault", "PGPASSWORD": PASSWORD}
        return self.lane.environment | account | {"INGEST_WORK_FOLDER": str(self.work)}

    def change(self) -> None:
        """Change rows in every table, in one transaction."""
        connection = self.lane.servers.mysql(self.lane.database, autocommit=False)
        with connection.cursor() as cursor:
            for statement in _CHANGE:
                cursor.execute(statement)
        connection.commit()
        connection.close()

    def add_large_table(self, rows: int) -> None:
        self.lane.execute(
            "create table large (id int primary key, filler varchar(120))",
            f"insert into large select seq, concat('{CANARY} ', repeat('x', 60), seq) from {numbers(rows)}",
        )

    # landings

    def land(self) -> None:
        report = self.lane.land(self.environment)
        assert report.status == "ok", report
        self.runs += 1

    def start(
        self,
        *arguments: str,
        at: Point | None = None,
        chunk_rows: int | None = None,
        largest_file: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Stoppable:
        output = self.folder / f"output{len(self.outputs)}"
        self.outputs.append(output)
        settings = {**os.environ, **self.environment, **(environment or {})}
        if chunk_rows:
            settings["INGEST_CHUNK_ROWS"] = str(chunk_rows)
        self.landings.append(Stoppable(settings, arguments, at, output, largest_file))
        return self.landings[-1]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One plain ``python -m ingestion``."""
        command = [sys.executable, "-m", "ingestion", *arguments]
        settings = {**os.environ, **self.environment}
        result = subprocess.run(
            command, cwd=PROJECT, env=settings, capture_output=True, text=True, check=False, timeout=120
        )
        output = self.folder / f"output{len(self.outputs)}"
        output.write_text(result.stdout + result.stderr, encoding="utf-8")
        self.outputs.append(output)
        return result

    # both sides

    def source(self) -> State:
        connection = self.lane.servers.mysql(self.lane.database, autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("start transaction with consistent snapshot, read only")
            cursor.execute("select table_name from information_schema.tables where table_schema = database()")
            tables = [name for (name,) in cursor.fetchall()]
            state = {}
            for table in tables:
                cursor.execute(f"select {TABLES.get(table, '*')} from `{table}`")
                state[table] = _sorted(cursor.fetchall())
        connection.close()
        return state

    def raw(self, without: str = "") -> State:
        """All raw tables (``without`` one), as one transaction sees them."""
        connection = self.lane.servers.postgres()
        connection.autocommit = False
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = %s", (self.lane.raw,))
            tables = [name for (name,) in cursor.fetchall() if not name.startswith("_landing")]
            state = {}
            for table in tables:
                if table == without:
                    continue
                columns = TABLES.get(table)
                if columns is None:
                    cursor.execute(
                        "select string_agg(quote_ident(column_name), ', ' order by ordinal_position)"
                        " from information_schema.columns"
                        " where table_schema = %s and table_name = %s and column_name <> '_loaded_at'",
                        (self.lane.raw, table),
                    )
                    columns = cursor.fetchone()[0]
                cursor.execute(f'select {columns} from {self.lane.raw}."{table}"')
                state[table] = _sorted(cursor.fetchall())
        return state

    # what must hold

    def heals(self, *arguments: str, plain: bool = False) -> str:
        """One run lands everything exactly; returns what it printed.

        ``plain``: as ``python -m ingestion``, else in a process that has dlt imported and nothing wrapped.
        """
        if plain:
            result = self.run(*arguments)
            code, said = result.returncode, result.stdout + result.stderr
        else:
            landing = self.start(*arguments)
            code, said = landing.end(), landing.said()
        assert code == 0, said
        self.runs += 1
        self.is_exact()
        return said

    def is_exact(self) -> None:
        assert self.raw() == self.source()
        self.records_agree()
        self.nothing_is_left()
        self.nothing_leaked()

    def records_agree(self) -> None:
        query = self.lane.warehouse
        runs = query("select run_id, loaded_at from {raw}._landing_runs order by loaded_at")
        assert len(runs) == self.runs == len({loaded_at for _, loaded_at in runs})
        known = {run_id for run_id, _ in runs}
        assert {run_id for (run_id,) in query("select distinct run_id from {raw}._landing_tables")} <= known
        changes = {
            table: counts
            for table, *counts in query(
                "select table_name, sum(inserted)::int, sum(deleted)::int from {raw}._landing_tables group by 1"
            )
        }
        deletions = dict(query("select table_name, count(*)::int from {raw}._landing_deletions group by 1"))
        last = dict(
            query(f"select table_name, row_count from {{raw}}._landing_tables where run_id = '{runs[-1][0]}'")  # noqa: S608
        )
        for table, rows in self.raw().items():
            inserted, deleted = changes[table]
            assert inserted - deleted == len(rows) == last[table], table
            assert deletions.get(table, 0) == deleted, table

    def nothing_is_left(self) -> None:
        assert not self.lane.warehouse(f"select from pg_namespace where nspname = 'landing_{self.lane.database}'")
        assert not self.work.exists() or not list(self.work.iterdir())

    def nothing_leaked(self) -> None:
        """No row and no password in what was printed, or in the warehouse's log."""
        for output in filter(Path.exists, self.outputs):
            text = output.read_text(encoding="utf-8")
            assert CANARY not in text and "pw'" not in text and "Traceback" not in text, text
        log = home.servers_home() / "postgres" / "server.log"
        assert CANARY not in log.read_text(encoding="utf-8", errors="replace")

    def work_files_are_private(self) -> None:
        """During a landing its files hold rows: nobody else may enter the folder. Passwords are never in them."""
        for folder in self.work.iterdir():
            assert folder.stat().st_mode & 0o777 == 0o700
            for file in folder.rglob("*"):
                if file.is_file():
                    content = file.read_bytes()
                    assert PASSWORD.encode() not in content and b"pw'" not in content and b"pw%27" not in content, file

    @contextlib.contextmanager
    def watched(self, *allowed: State) -> Iterator[list[int]]:
        """While this lasts, another thread reads all tables again and again: each time one of these states."""
        stop, wrong, reads = threading.Event(), [], [0]

        def read() -> None:
            while not stop.is_set():
                state = self.raw()
                reads[0] += 1
                if state not in allowed:
                    wrong.append({table: len(rows) for table, rows in state.items()})
                stop.wait(0.05)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield reads
        finally:
            stop.set()
            thread.join()
        assert not wrong and reads[0], wrong


def _sorted(rows: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value


@contextlib.contextmanager
def writer(shop: Shop, patient: bool = False) -> Iterator[list[int]]:
    """Orders come, change and go with their lines, one transaction each, as fast as they can.

    ``patient``: a server that is away is waited for, and the rest takes its time.
    """
    stop, written, failure = threading.Event(), [0], []
    choose = random.Random(1)

    def write(connection: Any) -> None:
        with connection.cursor() as cursor:
            while not stop.is_set():
                number = 20_000 + choose.randrange(60)
                cursor.execute("delete from order_lines where order_id = %s", (number,))
                cursor.execute("delete from orders where id = %s", (number,))
                lines = choose.randrange(4)
                if lines:
                    price = choose.randrange(100)
                    cursor.execute("insert into orders values (%s, 1, now(6), %s, %s)", (number, lines, lines * price))
                    for line in range(lines):
                        cursor.execute(
                            "insert into order_lines values (%s, %s, %s, 1, %s)", (number, line, CANARY, price)
                        )
                cursor.execute("update customers set credit = %s where id in (1, 2)", (written[0],))
                connection.commit()
                written[0] += 1
                time.sleep(0.01 if patient else 0.001)

    def run() -> None:
        while not stop.is_set():
            try:
                with contextlib.closing(shop.lane.servers.mysql(shop.lane.database, autocommit=False)) as connection:
                    write(connection)
            except BaseException as error:
                if not patient or not isinstance(error, (pymysql.Error, OSError)):
                    failure.append(error)
                    return
                time.sleep(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield written
    finally:
        stop.set()
        thread.join()
    assert not failure and written[0], failure


@contextlib.contextmanager
def torn_reads(shop: Shop, patient: bool = False) -> Iterator[list[str]]:
    """Another thread reads all tables in one transaction, again and again: each state must be one of the source.

    ``patient``: a server that is away is waited for.
    """
    stop, torn, reads = threading.Event(), list[str](), [0]
    counts = f"""
        select
            (select count(*) from {shop.lane.raw}.order_lines l
             where not exists (select from {shop.lane.raw}.orders o where o.id = l.order_id)),
            (select count(*) from {shop.lane.raw}.orders o
             where line_count <> (select count(*) from {shop.lane.raw}.order_lines l where l.order_id = o.id)),
            (select count(*) from {shop.lane.raw}.orders o where id > 9000
             and total <> (select sum(price) from {shop.lane.raw}.order_lines l where l.order_id = o.id)),
            (select count(distinct credit) from {shop.lane.raw}.customers where id in (1, 2)) - 1,
            (select abs(count(*) - 200) from {shop.lane.raw}.customers)
    """

    def read(connection: Any) -> None:
        connection.autocommit = False
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("select")
                time.sleep(0.01)  # the snapshot is taken, tables are read later
                cursor.execute(counts)
                row = cursor.fetchone()
                reads[0] += 1
                if any(row):
                    torn.append(str(row))
                connection.commit()

    def run() -> None:
        while not stop.is_set():
            try:
                with contextlib.closing(shop.lane.servers.postgres()) as connection:
                    read(connection)
            except psycopg2.Error as error:
                if not patient:
                    torn.append(str(error))
                    return
                time.sleep(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield torn
    finally:
        stop.set()
        thread.join()
    assert reads[0] > 10
