"""Landings, readers and writers at the same time."""

import contextlib
import random
import signal
import time

import pytest

from tests.faults.conftest import Result
from tests.faults.shop import Shop, torn_reads, writer
from tests.faults.stoppable import Point
from tests.faults.test_kill_the_loader import COMMIT, IN_A_TABLE, PLANNED, SNAPSHOT, VERIFY


@pytest.mark.parametrize("first", [True, False], ids=["the first landing", "a later landing"])
@pytest.mark.parametrize("number", [2, 5])
def test_runs_started_at_once_take_turns(shop: Shop, result: Result, number: int, first: bool) -> None:
    if not first:
        shop.land()
        shop.change()
    before, after = shop.raw(), shop.source()
    with shop.watched(before, after):
        landings = [shop.start() for _ in range(number)]
        assert [landing.end() for landing in landings] == [0] * number, [landing.said() for landing in landings]
    assert sum("landed" in landing.said() for landing in landings) == 1  # the others found nothing to do
    shop.runs += number
    shop.is_exact()
    result.seen = "the old or the new rows, whole"
    shop.heals()
    result.healed = "exact"


def test_a_run_that_does_not_wait_says_so(shop: Shop, result: Result) -> None:
    shop.land()
    shop.change()
    holder = shop.start(at=COMMIT)
    holder.wait()
    impatient = shop.start(environment={"INGEST_LOCK_WAIT_SECONDS": "1"})
    assert impatient.end() == 3
    assert impatient.said() == (
        f"error: Another landing into {shop.lane.raw} is running. Nothing was done; run again when it ended.\n"
    )
    holder.go()
    assert holder.end() == 0, holder.said()
    shop.runs += 1
    shop.is_exact()
    shop.heals()
    result.healed = "exact"


def test_a_landing_that_lost_its_lock_cannot_disturb_the_next(shop: Shop, result: Result) -> None:
    """The server ends its connection while it stands still; another lands; then it goes on."""
    shop.land()
    shop.change()
    sleeper = shop.start(at=IN_A_TABLE)
    sleeper.wait()
    shop.lane.warehouse("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'landing'")
    other = shop.start(at=VERIFY)
    other.wait()
    sleeper.go()
    assert sleeper.end() == 3, sleeper.said()
    other.go()
    assert other.end() == 0, other.said()
    shop.runs += 1
    shop.is_exact()
    result.seen = "the new rows, whole"
    shop.heals()
    result.healed = "exact"


def test_two_users_on_one_machine_do_not_meet(shop: Shop, result: Result) -> None:
    """Somebody made folders and links of our names before us: they are neither used nor removed."""
    shop.land()
    shop.change()
    shop.work.mkdir(exist_ok=True)
    elsewhere = shop.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("keep")
    landing = shop.start(at=PLANNED)
    landing.wait()
    (ours,) = shop.work.iterdir()
    landing.kill()
    link = ours.with_name(ours.name[: ours.name.rindex("-") + 1] + "link")
    link.symlink_to(elsewhere)
    assert shop.start().end() == 0
    shop.runs += 1
    assert (elsewhere / "file").read_text() == "keep" and list(shop.work.iterdir()) == [link]
    link.unlink()
    shop.is_exact()
    shop.heals()
    result.healed = "exact"


def test_no_read_is_torn_while_others_write(shop: Shop, result: Result) -> None:
    shop.lane.execute("update customers set credit = 0 where id in (1, 2)")
    shop.land()
    with writer(shop) as written, torn_reads(shop) as torn:
        for _ in range(10):
            shop.land()
    assert not torn, torn
    result.seen = f"10 landings during {written[0]} transactions of a writer: no orphan, no half"
    shop.heals()
    result.healed = "exact"


def test_no_read_is_torn_when_landings_are_killed(shop: Shop, result: Result) -> None:
    shop.lane.execute("update customers set credit = 0 where id in (1, 2)")
    shop.land()
    choose = random.Random(2)
    with writer(shop) as written, torn_reads(shop) as torn:
        for _ in range(8):
            landing = shop.start()
            time.sleep(choose.random())
            with contextlib.suppress(ProcessLookupError):  # a quick one has ended already
                landing.signal(signal.SIGKILL)
            landing.end()
    assert not torn, torn
    shop.runs = shop.lane.warehouse("select count(*) from {raw}._landing_runs")[0][0]
    result.seen = f"8 landings killed at random during {written[0]} transactions: no orphan, no half"
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("point", [SNAPSHOT, IN_A_TABLE, Point("file finished", 2)], ids=str)
def test_what_is_written_after_the_snapshot_comes_next_time(shop: Shop, result: Result, point: Point) -> None:
    shop.land()
    shop.change()
    snapshot = shop.source()
    landing = shop.start(at=point)
    landing.wait()
    shop.lane.execute("delete from orders where id < 100", "delete from order_lines", "update log set line = 'late'")
    landing.go()
    assert landing.end() == 0, landing.said()
    shop.runs += 1
    assert shop.raw() == snapshot
    result.seen = "the rows of the snapshot, whole"
    shop.heals()
    result.healed = "exact"
