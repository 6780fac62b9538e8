"""``kill -9`` of either server while a landing is at work, connections cut, servers that are not there."""

import time
from collections.abc import Callable

import pytest

from sandbox import __main__ as sandbox
from sandbox import mysql, postgres
from tests.faults.conftest import Result
from tests.faults.shop import CANARY, PASSWORD, Shop
from tests.faults.stoppable import Point
from tests.faults.test_kill_the_loader import (
    BEGUN,
    COMMIT,
    COMMITTED,
    COPY,
    COPYING,
    DLT_NORMALIZE,
    IN_A_TABLE,
    LOCK,
    PUBLISH,
    SENT,
    SNAPSHOT,
    VERIFY,
)

PATIENCE = 15
"""Seconds a landing may take to give up on a server that is gone."""


@pytest.mark.parametrize("point", [LOCK, IN_A_TABLE, DLT_NORMALIZE, COPY, VERIFY, PUBLISH[3], COMMIT], ids=str)
def test_postgres_is_killed(shop: Shop, result: Result, kill_server: Callable[[str], None], point: Point) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=point)
    landing.wait()
    kill_server(postgres.NAME)
    landing.go()
    assert landing.end(PATIENCE) == 3, landing.said()
    _one_clear_line(landing.said(), "Postgres at 127.0.0.1:")
    assert not list(shop.work.iterdir())
    sandbox.up()
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


def test_postgres_is_killed_right_after_the_commit(
    shop: Shop, result: Result, kill_server: Callable[[str], None]
) -> None:
    shop.land()
    shop.change()
    landing = shop.start(at=COMMITTED)
    landing.wait()
    kill_server(postgres.NAME)
    landing.go()
    assert landing.end(PATIENCE) == 0, landing.said()
    shop.runs += 1
    sandbox.up()
    assert shop.raw() == shop.source()
    result.seen = "the new rows, whole"
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("point", [LOCK, SNAPSHOT, IN_A_TABLE], ids=str)
def test_mysql_is_killed(shop: Shop, result: Result, kill_server: Callable[[str], None], point: Point) -> None:
    shop.add_large_table(60_000)
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=point, chunk_rows=10_000)
    landing.wait()
    kill_server(mysql.NAME)
    landing.go()
    code = landing.end(PATIENCE)
    sandbox.up()
    assert code == 3, landing.said()
    _one_clear_line(landing.said(), "MySQL at 127.0.0.1:")
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("point", [VERIFY, COMMIT], ids=str)
def test_mysql_is_killed_when_all_is_read(
    shop: Shop, result: Result, kill_server: Callable[[str], None], point: Point
) -> None:
    shop.land()
    shop.change()
    after = shop.source()
    landing = shop.start(at=point)
    landing.wait()
    kill_server(mysql.NAME)
    landing.go()
    code = landing.end(PATIENCE)
    sandbox.up()
    assert code == 0, landing.said()
    assert shop.raw() == after
    shop.runs += 1
    result.seen = "the new rows, whole: it was not needed any more"
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("point", [LOCK, IN_A_TABLE, VERIFY, BEGUN, PUBLISH[3], COMMIT], ids=str)
def test_the_landings_connection_to_postgres_is_cut(shop: Shop, result: Result, point: Point) -> None:
    _cut(shop, result, point, "application_name = 'landing'")


@pytest.mark.parametrize(
    "point",
    [SENT, COPYING],
    ids=["before", "before its file"],
)
def test_dlts_connections_to_postgres_are_cut(shop: Shop, result: Result, point: Point) -> None:
    _cut(shop, result, point, "application_name <> 'landing' and usename = 'fault'")


def _cut(shop: Shop, result: Result, point: Point, which: str) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=point)
    landing.wait()
    cut = shop.lane.warehouse(f"select pg_terminate_backend(pid) from pg_stat_activity where {which}")
    assert cut
    landing.go()
    assert landing.end(PATIENCE) == 3, landing.said()
    _one_clear_line(landing.said(), "Postgres at 127.0.0.1:")
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("which", ["connection", "query"])
def test_mysqls_connection_is_cut_in_the_middle_of_a_table(shop: Shop, result: Result, which: str) -> None:
    """A killed connection ends the landing; a killed query is one table's failure, and the others land."""
    shop.add_large_table(60_000)
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=Point("rows read", 2, "large"))
    landing.wait()
    ((number,),) = shop.lane.source("select id from information_schema.processlist where user = 'fault'")
    shop.lane.execute(f"kill {which} {number}")
    landing.go()
    code = landing.end(PATIENCE)
    if which == "connection":
        assert code == 3
        _one_clear_line(landing.said(), "MySQL at 127.0.0.1:")
        assert shop.raw() == before
    else:
        assert code == 1 and "error: large: it could not be read" in landing.said(), landing.said()
        assert shop.raw() == shop.source()  # the large one did not change
        shop.runs += 1
        result.seen = "that table as before, the others new"
        shop.lane.execute("update large set filler = 'CANARY' where id = 1")
    shop.heals()
    result.healed = "exact"


UNAVAILABLE = {
    "wrong MySQL password": ({"MYSQL_PASSWORD": "CANARY"}, "the login of user 'fault' is refused. Check MYSQL_USER"),
    "wrong Postgres password": ({"PGPASSWORD": "CANARY"}, "the login of user 'fault' is refused. Check PGUSER"),
    "no such MySQL database": ({"MYSQL_DATABASE": "nowhere"}, "may not read database 'nowhere'"),
    "no such Postgres database": ({"PGDATABASE": "nowhere"}, "there is no database 'nowhere'"),
    "no MySQL there": ({"MYSQL_PORT": "1"}, "it cannot be reached"),
    "no Postgres there": ({"PGPORT": "1"}, "it cannot be reached"),
    "a work folder that is a file": ({"INGEST_WORK_FOLDER": "/dev/null"}, "Work folder /dev/null: "),
}


@pytest.mark.parametrize("what", UNAVAILABLE)
def test_it_says_in_one_line(shop: Shop, result: Result, what: str) -> None:
    environment, message = UNAVAILABLE[what]
    shop.land()
    before = shop.source()
    shop.change()
    started = time.monotonic()
    landing = shop.start(environment=environment)
    assert landing.end(PATIENCE) == 3, landing.said()
    assert time.monotonic() - started < PATIENCE
    _one_clear_line(landing.said(), message)
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


def _one_clear_line(said: str, message: str) -> None:
    """The landing says once, and last, what happened; what libpq prints of a dying session has no values in it."""
    lines = said.splitlines()
    assert lines[-1].startswith("error: ") and message in lines[-1], said
    assert sum(line.startswith("error: ") for line in lines) == 1, said
    assert PASSWORD not in said and CANARY not in said
