"""``kill -9`` of the loader at every step, on a first landing and on a later one; SIGTERM and SIGINT at some."""

import contextlib
import dataclasses
import random
import signal
import time

import pytest

from tests.faults.conftest import Result
from tests.faults.shop import Shop
from tests.faults.stoppable import Point

CONNECT = Point("connecting")
LOCK = Point("locked")
PREPARED = Point("prepared")
SNAPSHOT = Point("snapshot opened")
PLANNED = Point("planned")
ARRIVALS = Point("arrivals created")
IN_A_TABLE = Point("rows written", 2)
FINISHED = Point("file finished")
EXTRACTED = Point("all read")
DLT_EXTRACT = Point("dlt extract")
DLT_NORMALIZE = Point("dlt normalize")
COPYING = Point("copying file")
SENT = Point("file sent")
COPY = Point("file copied")
DLT_LOAD = Point("dlt load")
BETWEEN_PACKAGES = Point("files loaded")
VERIFY = Point("verifying")
VERIFIED = Point("verified")
VERIFYING = Point("verified", 2)
BEGUN = Point("transaction begun")
PUBLISH = [Point(step, number) for number in (1, 2, 5) for step in ("publishing", "published")]
MID_TABLE = [Point("statement done", text=text) for text in ('delete from "raw_', 'update "raw_', "_loaded_at) select")]
RECORD = Point("run recorded")
COMMIT = Point("committing")
COMMITTED = Point("committed")
ANALYZED = Point("analyzed")
CLEANING = Point("tidying")
CLEANED = Point("tidied")
CLOSING = Point("closing")

AFTER_COMMIT = (COMMITTED, ANALYZED, CLEANING, CLEANED, CLOSING)
ALL = [
    CONNECT, LOCK, PREPARED, SNAPSHOT, PLANNED, ARRIVALS, IN_A_TABLE, FINISHED, EXTRACTED, DLT_EXTRACT, DLT_NORMALIZE,
    COPYING, SENT, COPY, DLT_LOAD, BETWEEN_PACKAGES, VERIFY, VERIFIED, VERIFYING, BEGUN, *PUBLISH, *MID_TABLE, RECORD, COMMIT, *AFTER_COMMIT,
]  # fmt: skip
FIRST = [PREPARED, IN_A_TABLE, COPY, DLT_LOAD, VERIFY, PUBLISH[1], PUBLISH[3], COMMIT, COMMITTED, CLEANING]


@pytest.mark.parametrize("point", ALL, ids=str)
def test_kill_9_of_a_later_landing(shop: Shop, result: Result, point: Point) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    after = shop.source()
    with shop.watched(before, after):
        landing = shop.start(at=point)
        landing.wait()
        if point != CONNECT and shop.work.exists():
            shop.work_files_are_private()
        landing.kill()
    published = point in AFTER_COMMIT
    assert shop.raw() == (after if published else before)
    if published:
        shop.runs += 1
        result.seen = "the new rows, whole"
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("point", FIRST, ids=str)
def test_kill_9_of_the_first_landing(shop: Shop, result: Result, point: Point) -> None:
    after = shop.source()
    with shop.watched({}, after):
        landing = shop.start(at=point)
        landing.wait()
        landing.kill()
    published = point in AFTER_COMMIT
    assert shop.raw() == (after if published else {})
    shop.runs += published
    result.seen = "all tables, whole" if published else "no table"
    shop.heals(plain=True)
    result.healed = "exact"


def test_kill_9_in_the_middle_of_a_large_table(shop: Shop, result: Result) -> None:
    """Half of its files are loaded, the next are on their way."""
    shop.add_large_table(300_000)
    shop.land()
    before = shop.source()
    shop.change()
    shop.lane.execute("update large set filler = concat(filler, 'y') where id % 100 = 0")
    landing = shop.start(at=dataclasses.replace(COPY, nth=30), chunk_rows=5_000)
    landing.wait()
    landing.kill()
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


def test_nothing_is_left_of_a_landing_that_is_killed_while_it_begins_to_copy(shop: Shop, result: Result) -> None:
    """The next landing removes the files of one that was killed; nobody may still write there then, nor later."""
    choose = random.Random(1)
    for _ in range(10):
        landing = shop.start(at=PLANNED)
        landing.wait()
        landing.go()
        time.sleep(choose.uniform(0, 0.15))
        with contextlib.suppress(ProcessLookupError):  # a quick one has ended already
            landing.signal(signal.SIGKILL)
        landing.end()
        following = shop.start(at=PREPARED)
        following.wait()
        time.sleep(0.4)
        assert len(list(shop.work.iterdir())) == 1
        following.kill()
    shop.runs = shop.lane.warehouse("select count(*) from {raw}._landing_runs")[0][0]
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("point", [IN_A_TABLE, COPY, PUBLISH[3], COMMITTED], ids=str)
def test_a_signal_ends_a_landing_in_order(shop: Shop, result: Result, point: Point, number: signal.Signals) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=point)
    landing.wait()
    landing.signal(number)
    time.sleep(0.2)
    landing.go()
    assert landing.end() == 128 + number, landing.said()
    lines = [line for line in landing.said().splitlines() if not line.startswith("read ")]
    assert lines == [f"error: stopped by {number.name}. Every raw table is as the last landing left it; run again."]
    published = point in AFTER_COMMIT
    assert shop.raw() == (shop.source() if published else before)
    assert not list(shop.work.iterdir())
    shop.runs += published
    shop.heals()
    result.healed = "exact"


def test_a_signal_ends_a_slow_read(shop: Shop, result: Result) -> None:
    """Forty seconds of reading, at the rate that was asked for, are not waited for."""
    shop.add_large_table(40_000)
    before = shop.source()
    landing = shop.start(at=SNAPSHOT, environment={"INGEST_ROWS_PER_SECOND": "1000"})
    landing.wait()
    landing.go()
    time.sleep(2)
    landing.signal(signal.SIGTERM)
    assert landing.end(15) == 143, landing.said()
    assert shop.raw() == {} and shop.source() == before
    result.seen = "no table"
    shop.heals()
    result.healed = "exact"
