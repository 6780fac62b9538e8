"""``kill -9`` of the loader at every step, on a first landing and on a later one; SIGTERM and SIGINT at some."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Result
from tests.faults.shop import Shop
from tests.faults.stoppable import Point

WAREHOUSE = "ingestion.warehouse:Warehouse"
PIPELINE = "dlt.pipeline.pipeline:Pipeline"
CONNECT = Point(f"{WAREHOUSE}.__init__")
LOCK = Point(f"{WAREHOUSE}._take_lock", "after")
PREPARED = Point(f"{WAREHOUSE}.prepare", "after")
SNAPSHOT = Point("ingestion.source:Source.__init__", "after")
PLANNED = Point("ingestion.landing:Landing._stage")
IN_A_TABLE = Point("ingestion.reading:_File.write", "after", 2)
EXTRACTED = Point("ingestion.landing:Landing._extract", "after")
DLT_EXTRACT = Point(f"{PIPELINE}.extract", "after")
DLT_NORMALIZE = Point(f"{PIPELINE}.normalize", "after")
COPY = Point("ingestion.pipeline:copy_file", "after")
DLT_LOAD = Point(f"{PIPELINE}.load", "after")
BETWEEN_PACKAGES = Point("ingestion.stage:Stage.copy", "after")
VERIFY = Point(f"{WAREHOUSE}.staged_totals")
VERIFYING = Point(f"{WAREHOUSE}.staged_totals", "after", 2)
BEGUN = Point(f"{WAREHOUSE}.begin", "after")
PUBLISH = [Point(f"{WAREHOUSE}.publish", when, number) for number in (1, 2, 5) for when in ("before", "after")]
MID_TABLE = [
    Point(f"{WAREHOUSE}._execute", "after", 1, text)
    for text in ('delete from "raw_', 'update "raw_', "_loaded_at) select")
]
RECORD = Point(f"{WAREHOUSE}.record_run", "after")
COMMIT = Point(f"{WAREHOUSE}.commit")
COMMITTED = Point(f"{WAREHOUSE}.commit", "after")
ANALYZED = Point(f"{WAREHOUSE}.analyze", "after")
CLEANING = Point(f"{WAREHOUSE}.drop_staging")
CLEANED = Point(f"{WAREHOUSE}.drop_staging", "after")
CLOSING = Point(f"{WAREHOUSE}.close")

AFTER_COMMIT = (COMMITTED, ANALYZED, CLEANING, CLEANED, CLOSING)
ALL = [
    CONNECT, LOCK, PREPARED, SNAPSHOT, PLANNED, IN_A_TABLE, EXTRACTED, DLT_EXTRACT, DLT_NORMALIZE, COPY, DLT_LOAD,
    BETWEEN_PACKAGES, VERIFY, VERIFYING, BEGUN, *PUBLISH, *MID_TABLE, RECORD, COMMIT, *AFTER_COMMIT,
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


@pytest.mark.parametrize("point", [DLT_EXTRACT, COPY, DLT_LOAD], ids=str)
def test_kill_9_of_the_process_that_loads(shop: Shop, result: Result, point: Point) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=point)
    os.kill(landing.wait(), signal.SIGKILL)
    assert landing.end() == 3, landing.said()
    lines = [line for line in landing.said().splitlines() if not line.startswith("read ")]
    assert lines == ["error: The process that loads ended (exit code -9). Nothing was published; run again."]
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


def test_the_process_that_loads_does_not_outlive_its_landing(shop: Shop, result: Result) -> None:
    landing = shop.start(at=COPY)
    loads = landing.wait()
    assert _runs(loads)
    landing.kill()
    for _ in range(20):
        if not _runs(loads):
            break
        time.sleep(0.1)
    assert not _runs(loads)
    shop.heals()
    result.healed = "exact"


def test_the_process_that_loads_keeps_no_lock(shop: Shop, result: Result) -> None:
    """It stands still, as on a machine that swaps, while its landing is killed and the next one comes."""
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(at=COPY)
    loads = landing.wait()
    os.kill(loads, signal.SIGSTOP)
    try:
        landing.kill()
        assert shop.raw() == before
        shop.heals()
    finally:
        os.kill(loads, signal.SIGKILL)
    result.healed = "exact"


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
