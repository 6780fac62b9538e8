"""At every quiet point of a random walk the raw tables are MySQL's: writers of all kinds, and a follower that is stopped.

The walk of a day is another one than yesterday's; ``TEST_SEED=20261130`` walks that day's again. ``FOLLOWER_WALK`` is how
many seconds it takes; with NIGHTLY, ten minutes.
"""

import contextlib
import itertools
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

import pymysql
import pytest

from tests import SEED
from tests.conftest import PROJECT, Lane, numbers
from tests.ingestion.test_changes import LOG, assert_equal

SECONDS = float(os.environ.get("FOLLOWER_WALK", "600" if os.environ.get("NIGHTLY") else "25"))
_ROUND = 2.5
"""Seconds from one quiet point to the next, at most."""
_TABLES = (
    "create table marks (id int primary key)",
    "create table parents (id int primary key, code int unique, v int)",
    "create table children (id int primary key, parent int, v int,"
    " foreign key (parent) references parents (id) on delete cascade on update cascade)",
    "create table grandchildren (id int primary key, child int, v int,"
    " foreign key (child) references children (id) on delete set null)",
    "create table papers (doc int, number smallint, v varchar(40), primary key (doc, number))",
    "create table named (name varchar(20) primary key, v decimal(8,2), at timestamp null)",
    "create table keyless (v int)",
    "create table old (id int primary key, v int) engine = myisam",
    "create table left_one (id int primary key, v int)",
    "create table right_one (id int primary key, v int)",
    f"insert into parents select seq, seq, seq from {numbers(300)}",
    f"insert into children select seq, seq, seq from {numbers(300)}",
    f"insert into grandchildren select seq, seq, seq from {numbers(300)}",
    f"insert into papers select seq, 1, 'x' from {numbers(400)}",
    f"insert into left_one select seq, 1 from {numbers(50)}",
    f"insert into right_one select seq + 20, 2 from {numbers(50)}",
    "insert into named values ('a', 1, null)",
    "insert into keyless values (1), (1)",
    "insert into old values (1, 1)",
)


class _Walk:
    def __init__(self, lane: Lane, seed: str, output: Path):
        self.lane, self.seed, self.output = lane, seed, output
        self.names = itertools.count(1)
        self.done: list[str] = []
        self.follower: subprocess.Popen[bytes] | None = None

    # what is written

    def small(self, chance: random.Random) -> list[str]:
        """The statements of a change of some rows."""
        n, m = chance.randrange(1, 400), chance.randrange(1, 400)
        return [
            *chance.choice(
                (
                    [f"insert into parents values ({n}, {n}, 0) on duplicate key update v = v + 1"],
                    [f"replace into parents values ({n}, {n}, {m})"],
                    [f"delete from parents where id = {n}"],
                    [f"update ignore parents set id = {m} where id = {n}"],
                    [f"insert ignore into children values ({m}, {n}, {m})"],
                    [f"update children set v = v + 1 where parent between {n} and {n + 5}"],
                    [f"delete from children where id = {n}"],
                    [f"insert ignore into grandchildren values ({m}, {n}, 1)"],
                    [f"replace into papers values ({n}, {m % 4}, 'v{m}')", f"delete from papers where doc = {m}"],
                    [f"update papers set v = concat(number, 'w') where doc = {n}"],
                    [f"insert into named values ('n{n % 30}', {m}.25, now()) on duplicate key update v = v + 1"],
                    [f"delete from named where name = 'n{n % 30}'"],
                    [f"insert into keyless values ({n % 9}), (null)"],
                    [f"delete from keyless where v = {n % 9} limit 1"],
                    [f"replace into old (id, v) values ({n % 50}, {m})"],
                    [
                        f"update left_one set v = {m} where id = {n % 60}",
                        f"replace into right_one values ({n % 90}, {m})",
                    ],
                )
            )
        ]

    def transaction(self, chance: random.Random) -> list[str]:
        kind = chance.randrange(12)
        if kind < 5:
            return self.small(chance)
        parts = [self.small(chance) for _ in range(chance.randrange(2, 6))]
        inner = [statement for part in parts for statement in part]
        if kind == 5:
            return ["begin", *inner, "rollback"]
        if kind == 6:
            middle = len(inner) // 2
            return [
                "begin",
                *inner[:middle],
                "savepoint s",
                *inner[middle:],
                "rollback to s",
                *self.small(chance),
                "commit",
            ]
        if kind == 7:
            name = f"'{self.lane.database}{next(self.names)}'"
            end = chance.choice(("xa commit", "xa rollback"))
            return [f"xa start {name}", *inner, f"xa end {name}", f"xa prepare {name}", f"{end} {name}"]
        if kind == 8:
            low = chance.randrange(1, 9) * 10_000
            return [
                f"insert ignore into papers select {low} + seq, 0, seq from {numbers(3000)}"
                if chance.random() < 0.5
                else f"delete from papers where doc between {low} and {low + 9_999}"
            ]
        return ["begin", *inner, "commit"]

    def definition(self, chance: random.Random) -> list[str]:
        number = next(self.names)
        return chance.choice(
            (
                ["truncate table keyless"],
                ["truncate table grandchildren"],
                ["rename table left_one to aside, right_one to left_one, aside to right_one"],
                [f"alter table named add column c{number} int default {number}"],
                [f"alter table papers add column c{number} int not null default {number}, algorithm = copy"],
                ["alter table children add index v (v)", "alter table children drop index v"],
                [f"create table t{number} (id int primary key, v int)", f"insert into t{number} values (1, 1)"],
                ["set session binlog_format = 'STATEMENT'", "update parents set v = v + 1 where id < 9"],
                ["set session binlog_row_image = 'MINIMAL'", "update papers set v = 'minimal' where doc < 9"],
            )
        )

    @contextlib.contextmanager
    def writing(self, part: int) -> Iterator[None]:
        """Three writers, until the end."""
        stop, failures = threading.Event(), list[BaseException]()

        def write(number: int) -> None:
            chance = random.Random(f"{self.seed}/{part}/{number}")
            try:
                while not stop.is_set():
                    with contextlib.closing(self.lane.servers.mysql(self.lane.database)) as connection:
                        while not stop.is_set():
                            defines = number == 0 and chance.random() < 0.02
                            some = self.definition(chance) if defines else self.transaction(chance)
                            if defines:
                                self.done.append(some[0])
                            self._write(connection, some)
                            time.sleep(chance.choice((0.0, 0.005, 0.03)))
                            if defines:
                                break  # what was set for its session goes with it
            except BaseException as error:
                failures.append(error)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        try:
            yield
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert not failures, failures

    @staticmethod
    def _write(connection: Any, statements: list[str]) -> None:
        """One transaction; another one may make it wait too long, or be in its way: then nothing of it is done."""
        with connection.cursor() as cursor:
            for statement in statements:
                try:
                    cursor.execute(statement)
                except pymysql.Error as error:
                    if error.args[0] not in (1136, 1205, 1213, 1402, 1614, 1397, 1399, 1412, 1451, 1452, 1761, 1834):
                        raise AssertionError(f"{statement}: {error}") from None
                    if statements[0].startswith("xa "):
                        name = statements[0].removeprefix("xa start ")
                        for end in (f"xa end {name}", f"xa rollback {name}"):
                            with contextlib.suppress(pymysql.Error):
                                cursor.execute(end)
                    cursor.execute("rollback")
                    return

    # who follows

    def start(self) -> None:
        command = [sys.executable, "-m", "ingestion", "--follow", "--accept-drift"]
        with self.output.open("ab") as output:
            self.follower = subprocess.Popen(
                command, cwd=PROJECT, env=os.environ | self.lane.environment | LOG, stdout=output, stderr=output
            )

    def end(self, number: int) -> None:
        if self.follower:
            self.follower.send_signal(number)
            code = self.follower.wait(20)
            assert code == (143 if number == signal.SIGTERM else -number), (code, self.said())
            self.follower = None

    def said(self) -> str:
        return f"seed {self.seed}, definitions {self.done[-8:]}\n{self.output.read_text(encoding='utf-8')[-3000:]}"

    def is_exact(self) -> None:
        """Wait for a row that is written now. All rows are there with it."""
        mark = next(self.names)
        self.lane.execute(f"insert into marks values ({mark})")
        until = time.monotonic() + 60
        while not self.lane.warehouse(f"select id from {{raw}}.marks where id = {mark}"):  # noqa: S608
            assert self.follower and self.follower.poll() is None, f"the follower ended: {self.said()}"
            assert time.monotonic() < until, f"a row did not arrive: {self.said()}"
            time.sleep(0.05)
        try:
            assert_equal(self.lane)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None


@pytest.fixture
def walk(lane: Lane, tmp_path: Path) -> Iterator[_Walk]:
    rights = "replication slave, replication client" + (", slave monitor" if lane.servers.is_mariadb else "")
    lane.execute(*_TABLES, f"grant {rights} on *.* to {lane.servers.account}")
    report = lane.land(LOG)
    assert report.status == "ok" and report.log_position, report.log
    walk = _Walk(lane, f"{SEED}", tmp_path / "said")
    yield walk
    if walk.follower:
        walk.follower.kill()
        walk.follower.wait()


def test_a_follower_is_exact_at_every_quiet_point(walk: _Walk) -> None:
    chance, until, points = random.Random(walk.seed), time.monotonic() + SECONDS, 0
    walk.start()
    while time.monotonic() < until:
        with walk.writing(points):
            time.sleep(chance.uniform(0.2, _ROUND))
            if chance.random() < 0.6:
                walk.end(chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
                time.sleep(chance.uniform(0, 1))
                walk.start()
                time.sleep(chance.uniform(0, 2))
        walk.is_exact()
        points += 1
    walk.end(signal.SIGTERM)
    print(f"{points} quiet points, {len(walk.done)} definitions changed, TEST_SEED={SEED}")
    report = walk.lane.land(LOG, full_compare=True)
    assert report.status == "ok"
    assert not any("did not name" in note for table in report.tables for note in table.notes), walk.said()
    assert points >= SECONDS / 30
