"""A follower is killed, loses a server, the network or the log, and is in others' way: exact as soon as all is well."""

import contextlib
import itertools
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pymysql
import pytest

from sandbox import __main__ as sandbox
from sandbox import mysql, postgres
from tests import SEED
from tests.faults.conftest import Result
from tests.faults.shop import Shop, torn_reads, writer
from tests.faults.stoppable import Point, Stoppable
from tests.ingestion.test_changes import LOG, assert_equal
from tests.security.wire import Listener, listening

_markers = itertools.count(1)
_STEPS = [
    Point("planned", 3),
    Point("rows written", 4),
    Point("file sent", 4),
    Point("verifying", 4),
    Point("published", 4),
    Point("committing", 3),
    Point("committed", 3),
    Point("tidying", 3),
]
_TODAY = _STEPS if "NIGHTLY" in os.environ else random.Random(str(SEED)).sample(_STEPS, 3)
"""Others every day."""


@pytest.fixture
def following(shop: Shop) -> Shop:
    """Landed, and the account may read the log."""
    rights = "replication slave, replication client" + (", slave monitor" if shop.lane.servers.is_mariadb else "")
    shop.lane.execute(
        f"grant {rights} on *.* to 'fault'@'127.0.0.1'", "update customers set credit = 0 where id in (1, 2)"
    )
    shop.lane.land(shop.environment | LOG)
    return shop


def _follow(shop: Shop, at: Point | None = None, **environment: str) -> Stoppable:
    return shop.start("--follow", at=at, environment=LOG | environment)


def _wait_until(what: Callable[[], object], why: Callable[[], str], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, why()
        time.sleep(0.05)


def _is_exact(shop: Shop, follower: Stoppable, seconds: float = 40) -> None:
    """Wait for a row that is written now; all rows are there with it, and are MySQL's."""
    marker = 1000 + next(_markers)
    shop.lane.execute(f"insert into nothing values ({marker})")
    arrived = f"select id from {{raw}}.nothing where id = {marker}"  # noqa: S608
    _wait_until(lambda: shop.lane.warehouse(arrived), follower.said, seconds)
    assert_equal(shop.lane)


def _stops(shop: Shop, follower: Stoppable) -> None:
    """SIGTERM ends it soon; what it left is whole and agrees with its records."""
    started = time.monotonic()
    follower.signal(signal.SIGTERM)
    assert follower.end(10) == 143, follower.said()
    assert time.monotonic() - started < 5
    shop.runs = shop.lane.warehouse("select count(*) from {raw}._landing_runs")[0][0]
    shop.is_exact()


@contextlib.contextmanager
def _busy(shop: Shop) -> Iterator[None]:
    """Somebody writes to MySQL, and somebody reads the raw tables: whole transactions, and never an empty table."""
    with torn_reads(shop, patient=True) as torn, writer(shop, patient=True):
        yield
    assert not torn, torn[:3]


@pytest.mark.parametrize("point", _TODAY, ids=str)
def test_kill_9_of_a_follower(following: Shop, result: Result, point: Point) -> None:
    with _busy(following):
        follower = _follow(following, at=point)
        follower.wait()
        follower.kill()
        follower = _follow(following)
        _is_exact_later(following, follower)
    _is_exact(following, follower)
    _stops(following, follower)
    result.seen, result.healed = "whole transactions while a writer went on", "exact"


def _is_exact_later(shop: Shop, follower: Stoppable) -> None:
    """Wait until it has landed something, so it is well again."""
    before = _landings(shop)
    _wait_until(lambda: _landings(shop) > before + 1, follower.said)


def _landings(shop: Shop) -> int:
    """How many landings followers have published."""
    runs = shop.lane.warehouse("select count(*) from {raw}._landing_runs where changed_at is not null")
    return int(runs[0][0])


@pytest.mark.parametrize("name", [mysql.NAME, postgres.NAME])
def test_a_server_is_killed_under_a_follower(
    following: Shop, result: Result, kill_server: Callable[[str], None], name: str
) -> None:
    with _busy(following):
        follower = _follow(following)
        _is_exact_later(following, follower)
        kill_server(name)
        _wait_until(lambda: "Again in " in follower.said(), follower.said)
        sandbox.up()
        _is_exact_later(following, follower)
    _is_exact(following, follower)
    _stops(following, follower)
    result.seen, result.healed = "it tried again by itself", "exact"


class _Cable:
    """A relay to MySQL that can be cut, for all or for the next reader of the log, and can swallow all that it is sent."""

    def __init__(self, port: int):
        self._port = port
        self._ends: set[socket.socket] = set()
        self.is_cut = False
        self.swallows = False
        self.logs_to_cut = 0

    def serve(self, _wire: Listener, client: socket.socket) -> None:
        if self.is_cut:
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        self._ends |= {client, server}
        back = threading.Thread(target=self._hand_on, args=(server, client, False), daemon=True)
        back.start()
        self._hand_on(client, server, True)
        back.join()

    def _hand_on(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if asks and self.logs_to_cut and data[4:5] == bytes([pymysql.constants.COMMAND.COM_BINLOG_DUMP]):
                    self.logs_to_cut -= 1
                    break
                if not self.swallows:
                    target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.is_cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cable(following: Shop) -> Iterator[tuple[_Cable, str]]:
    cable = _Cable(int(following.environment["MYSQL_PORT"]))
    with listening(cable.serve) as wire:
        yield cable, str(wire.port)


def test_the_network_is_cut_under_a_follower(following: Shop, result: Result, cable: tuple[_Cable, str]) -> None:
    wire, port = cable
    with _busy(following):
        follower = _follow(following, MYSQL_PORT=port)
        _is_exact_later(following, follower)
        wire.cut()
        _wait_until(lambda: "Again in " in follower.said(), follower.said)
        wire.is_cut = False
        _is_exact_later(following, follower)
    _is_exact(following, follower)
    _stops(following, follower)
    result.seen, result.healed = "it tried again by itself", "exact"


@pytest.mark.skipif("NIGHTLY" not in os.environ, reason="it takes a minute: NIGHTLY=1 runs it")
def test_the_network_swallows_all(following: Shop, result: Result, cable: tuple[_Cable, str]) -> None:
    """No end of a connection says so: heartbeats that do not come do."""
    wire, port = cable
    follower = _follow(following, MYSQL_PORT=port)
    _is_exact(following, follower)
    wire.swallows = True
    following.lane.execute("insert into nothing values (5)")
    _wait_until(lambda: "Again in " in follower.said(), follower.said, 50)
    wire.cut()
    wire.swallows = wire.is_cut = False
    _is_exact(following, follower)
    _stops(following, follower)
    result.seen, result.healed = "it noticed within 50 s", "exact"


def test_a_landing_of_a_follower_loses_the_log_alone(
    following: Shop, result: Result, cable: tuple[_Cable, str]
) -> None:
    wire, port = cable
    follower = _follow(following, MYSQL_PORT=port)
    _is_exact(following, follower)
    wire.logs_to_cut = 3
    _is_exact(following, follower)
    _wait_until(lambda: not wire.logs_to_cut, follower.said)
    _is_exact(following, follower)
    assert "Again in " in follower.said()
    _stops(following, follower)
    result.seen, result.healed = "all rows were read, and it tried again by itself", "exact"


def test_the_log_is_reset_under_a_follower(following: Shop, result: Result) -> None:
    follower = _follow(following)
    _is_exact(following, follower)
    following.lane.execute("reset master", "update orders set total = total + 1 where id = 7")
    _is_exact(following, follower, 100)  # MySQL 5.6 does not tell: the log is opened anew each minute
    _stops(following, follower)
    result.seen, result.healed = "all rows were read", "exact"


def test_the_log_is_purged_while_a_follower_is_away(following: Shop, result: Result) -> None:
    follower = _follow(following)
    _is_exact(following, follower)
    follower.kill()
    following.lane.execute("update orders set total = total + 1 where id = 7", "flush logs", "flush logs")
    ((file, *_),) = following.lane.source("show master status")

    def is_purged() -> bool:  # a file stays while its last reader has not left
        following.lane.execute(f"purge binary logs to '{file}'")
        return bool(following.lane.source("show binary logs")[0][0] == file)

    _wait_until(is_purged, follower.said)
    follower = _follow(following)
    _is_exact(following, follower)
    assert "All rows were read: " in follower.said()
    _stops(following, follower)
    result.seen, result.healed = "all rows were read", "exact"


def test_tables_change_under_a_follower(following: Shop, result: Result) -> None:
    """A column more, a table emptied, one that takes another's place, and a new one."""
    lane = following.lane
    follower = _follow(following)
    _is_exact(following, follower)
    lane.execute("alter table customers add column points int not null default 5")
    _is_exact(following, follower)
    lane.execute("truncate table log", "insert into log values ('first', null)")
    _is_exact(following, follower)
    lane.execute("create table other like order_lines", "insert into other values (1, 1, 'x', 1, 1)")
    lane.execute("rename table order_lines to away, other to order_lines", "drop table away")
    _is_exact(following, follower)
    lane.execute("create table new (id int primary key)", "insert into new values (1), (2)")
    _is_exact(following, follower)
    lane.execute("update order_lines set price = 2", "delete from new where id = 1")
    _is_exact(following, follower)
    follower.signal(signal.SIGTERM)
    assert follower.end(10) == 143, follower.said()
    result.seen, result.healed = "its definition changed", "exact"


@pytest.mark.parametrize(
    "point", [None, Point("rows written", 2), Point("published", 2), Point("committed", 2)], ids=str
)
def test_sigterm_ends_a_follower(following: Shop, result: Result, point: Point | None) -> None:
    """At rest, and in the middle of a landing."""
    before = following.source()
    follower = _follow(following, at=point)
    if point:
        _wait_until(lambda: _landings(following), follower.said)
        following.change()
        follower.wait()
        follower.signal(signal.SIGTERM)
        time.sleep(0.1)
        follower.go()
        assert follower.end(5) == 143, follower.said()
        assert following.raw() in (before, following.source()) or point.step == "rows written"
    else:
        _is_exact(following, follower)
        _stops(following, follower)
    follower = _follow(following)
    _is_exact(following, follower)
    _stops(following, follower)
    result.healed = "exact"


def test_sigterm_ends_a_follower_that_waits_for_a_server(
    following: Shop, result: Result, cable: tuple[_Cable, str]
) -> None:
    wire, port = cable
    follower = _follow(following, MYSQL_PORT=port)
    _is_exact(following, follower)
    wire.cut()
    _wait_until(lambda: "Again in 2 s" in follower.said(), follower.said)
    _stops(following, follower)
    result.healed = "exact"


def test_one_follower_at_a_time_and_landings_beside_it(following: Shop, result: Result) -> None:
    follower = _follow(following)
    with _busy(following):
        _is_exact_later(following, follower)
        second = _follow(following)
        assert second.end(20) == 3, second.said()
        assert f"Another follower of {following.lane.raw} is running" in second.said(), second.said()
        for _ in range(3):
            landing = following.start(environment=LOG)
            assert landing.end() == 0, landing.said()
            assert "All rows were read" not in landing.said()
    _is_exact(following, follower)
    assert "Again in" not in follower.said()
    _stops(following, follower)
    result.seen, result.healed = "it went on while three landings landed", "exact"
