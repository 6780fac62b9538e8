"""INGEST_INCREMENTAL: a table with a change column is read from there on; what that misses, a full compare finds."""

import pytest

from landing.report import TableReport
from landing.settings import SettingsError
from tests.conftest import Lane, numbers

SETTINGS = {"INGEST_INCREMENTAL": "events.updated_at", "INGEST_LOOK_BACK_SECONDS": "3600"}


@pytest.fixture
def events(lane: Lane) -> Lane:
    lane.execute(
        "create table events (id int primary key, what varchar(20), updated_at datetime not null)",
        f"insert into events select seq, 'old', '2005-01-01' + interval seq hour from {numbers(1000)}",
    )
    lane.land(SETTINGS | {"AS_OF": "2005-03-01T00:00:00"})
    return lane


def _land(lane: Lane, as_of: str = "2005-03-02T00:00:00", **options: bool) -> TableReport:
    return lane.land_one(SETTINGS | {"AS_OF": as_of}, **options)


def _raw(lane: Lane) -> list[tuple[object, ...]]:
    return lane.warehouse("select id, what, updated_at from {raw}.events order by id")


def _source(lane: Lane) -> list[tuple[object, ...]]:
    return lane.source("select * from events order by id")


def test_only_what_changed_is_read(events: Lane) -> None:
    events.execute(
        "update events set what = 'new', updated_at = '2005-02-20' where id in (3, 4)",
        "insert into events values (2001, 'new', '2005-02-21')",
    )
    table = _land(events)
    assert (table.rows, table.inserted, table.updated, table.deleted) == (3 + 2, 1, 2, 0)  # two within the look-back
    assert _raw(events) == _source(events)


def test_the_look_back_finds_what_was_committed_late(events: Lane) -> None:
    """The newest row is of 2005-02-11 16:00; one that is half an hour older, but was committed later, is found."""
    events.execute("insert into events values (2001, 'late', '2005-02-11 15:30:00')")
    assert _land(events).inserted == 1
    events.execute("insert into events values (2002, 'too late', '2005-02-11 14:30:00')")
    assert _land(events).inserted == 0


@pytest.mark.parametrize("how", ["after a week", "with --full"])
def test_a_full_compare_finds_what_the_column_does_not_tell(events: Lane, how: str) -> None:
    events.execute(
        "delete from events where id <= 10",
        "update events set what = 'silent' where id = 20",
        "insert into events values (2001, 'old', '2004-01-01')",
    )
    table = _land(events)
    assert (table.inserted, table.updated, table.deleted) == (0, 0, 0)
    assert _raw(events) != _source(events)
    table = _land(events, full_compare=True) if how == "with --full" else _land(events, as_of="2005-03-08T00:00:00")
    assert (table.rows, table.inserted, table.updated, table.deleted) == (991, 1, 1, 10)
    assert _raw(events) == _source(events)


def test_a_source_that_went_back_is_compared_as_a_whole(events: Lane) -> None:
    """A replica that was behind takes over: the newest rows of raw are not there, and never come."""
    events.execute("delete from events where id > 990", "update events set what = 'silent' where id = 20")
    table = _land(events)
    assert (table.rows, table.inserted, table.updated, table.deleted) == (990, 0, 1, 10)
    assert _raw(events) == _source(events)
    events.execute("update events set what = 'silent again' where id = 20")
    assert _land(events, as_of="2005-03-03T00:00:00").updated == 0, "from then on only new rows are read again"


def test_the_full_compare_is_due_by_the_last_one_not_by_the_last_run(events: Lane) -> None:
    events.execute("delete from events where id <= 10")
    for day in range(2, 8):
        assert _land(events, as_of=f"2005-03-0{day}T00:00:00").deleted == 0
    assert _land(events, as_of="2005-03-08T00:00:00").deleted == 10


def test_a_column_added_makes_it_full(events: Lane) -> None:
    events.execute("alter table events add column extra int default 5")
    assert _land(events).updated == 1000
    assert events.warehouse("select count(*) from {raw}.events where extra = 5") == [(1000,)]


def test_rows_taken_out_by_hand_come_back_with_the_full_compare(events: Lane) -> None:
    events.warehouse("truncate {raw}.events")
    assert _land(events).rows == 1000  # no newest row to start from
    assert _raw(events) == _source(events)


@pytest.mark.parametrize(
    ("columns", "name"),
    [("id int, updated_at datetime", "no_key"), ("id int primary key, other datetime", "no_column")],
)
def test_a_table_that_cannot_be_read_so_is_named(lane: Lane, columns: str, name: str) -> None:
    lane.execute(f"create table {name} ({columns})")
    column = "updated_at" if "updated_at" in columns else "id"
    report = lane.land({"INGEST_INCREMENTAL": f"{name}.{column}", "INGEST_EXCLUDE_COLUMNS": f"{name}.id"})
    (table,) = report.tables
    assert report.status == "failed" and f"INGEST_INCREMENTAL names {name}.{column}" in table.reason


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("varbinary(8)", {}),
        ("point", {}),
        ("year", {}),
        ("enum('new', 'done')", {}),
        ("set('b', 'a')", {}),
        ("int", {"INGEST_HASH_COLUMNS": "events.updated_at", "INGEST_HASH_KEY": "k" * 40}),
    ],
)
def test_a_change_column_without_an_order_is_refused(lane: Lane, kind: str, setting: dict[str, str]) -> None:
    lane.execute(f"create table events (id int primary key, updated_at {kind})")
    (table,) = lane.land(SETTINGS | setting).tables
    assert table.status == "failed" and "it has no order to go by" in table.reason


def test_a_change_column_in_a_table_whose_key_repeats(lane: Lane) -> None:
    lane.execute(
        "create table part (id int primary key, updated_at int) engine = myisam",
        "create table other like part",
        "create table events (id int primary key, updated_at int) engine = merge union = (part, other)",
        "insert into part values (1, 1)",
    )
    assert lane.land(SETTINGS, include=("events",)).status == "ok"
    lane.execute("update part set updated_at = 2", "insert into other values (1, 3)")
    (table,) = lane.land(SETTINGS, include=("events",)).tables
    assert table.status == "failed" and "take it out of INGEST_INCREMENTAL" in table.reason
    assert lane.warehouse("select updated_at from {raw}.events") == [(1,)]


def test_the_time_zone_of_the_environment_hides_nothing(lane: Lane) -> None:
    lane.execute(
        "create table events (id int primary key, updated_at timestamp)",
        "insert into events values (1, '2005-01-01 13:00:00')",
    )
    environment = SETTINGS | {"PGTZ": "Asia/Tokyo"}
    assert lane.cli(environment=environment).returncode == 0
    lane.execute("insert into events values (2, '2005-01-01 14:00:00')")
    assert lane.cli(environment=environment).returncode == 0
    assert lane.warehouse("select id from {raw}.events order by id") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("timestamp(6) null", "'2005-01-01 00:00:00.123456'", "'2005-01-01 00:00:00.123457'"),
        ("date", "'2005-01-01'", "'2005-01-05'"),
        ("bigint unsigned", "18446744073709551000", "18446744073709551615"),
    ],
)
def test_change_columns_of_all_kinds(lane: Lane, kind: str, old: str, new: str) -> None:
    lane.execute(
        f"create table events (id int primary key, updated_at {kind}, what varchar(5))",
        f"insert into events values (1, {old}, 'a'), (2, {old}, 'b'), (3, null, 'c')",
    )
    lane.land(SETTINGS)
    lane.execute(f"update events set updated_at = {new}, what = 'z' where id = 2")
    (table,) = lane.land(SETTINGS).tables
    assert (table.status, table.updated) == ("landed", 1)
    assert lane.warehouse("select id, what from {raw}.events order by id") == [(1, "a"), (2, "z"), (3, "c")]


def test_a_value_that_was_mended_is_no_exception_any_more(events: Lane) -> None:
    zero = "update events set updated_at = '2005-02-20', born = '0000-00-00' where id = 3"
    events.execute("alter table events add column born date", "set sql_mode = ''", zero)
    assert _land(events).cast_exceptions == 1
    events.execute("update events set updated_at = '2005-02-21', born = '2004-01-01' where id = 3")
    table = _land(events, "2005-03-03T00:00:00")
    assert (table.updated, table.cast_exceptions) == (1, 0)


def test_a_full_compare_sees_what_went_back_to_what_it_was(events: Lane) -> None:
    """What the digests of the last full compare say is not what incremental landings have written since."""
    change = "update events set what = '{}', updated_at = '2005-01-01' + interval {} hour where id = 20"
    events.execute(change.format("new", 1001))
    assert _land(events).updated == 1
    events.execute(change.format("old", 20))
    assert _land(events, as_of="2005-03-09T00:00:00").updated == 1
    assert _raw(events) == _source(events)


def test_originals_of_rows_that_were_not_read_again_stay(lane: Lane) -> None:
    lane.execute(
        "create table events (id int primary key, what varchar(20), version int not null)",
        "insert into events values (1, 'a\\0b', 1), (2, 'c', 2)",
    )
    settings = {"INGEST_INCREMENTAL": "events.version"}
    kept = "select row_key::json->>'id', original_text from {raw}._landing_exceptions"
    assert lane.land_one(settings).cast_exceptions == 1
    lane.execute("update events set what = 'd', version = 3 where id = 2")
    assert (lane.land_one(settings).updated, lane.warehouse(kept)) == (1, [("1", "610062")])
    lane.execute("update events set what = 'e', version = 4 where id = 1")
    assert (lane.land_one(settings).updated, lane.warehouse(kept)) == (1, [])


def test_a_row_without_a_time_of_change_is_read_each_time(lane: Lane) -> None:
    lane.execute(
        "create table events (id int primary key, what varchar(20), updated_at datetime)",
        "insert into events values (1, 'old', null), (2, 'old', '2005-01-01'), (3, 'old', '2005-02-01')",
    )
    lane.land(SETTINGS | {"AS_OF": "2005-03-01T00:00:00"})
    lane.execute("update events set what = 'new' where id < 3")
    table = _land(lane)
    assert (table.rows, table.updated) == (2, 1)


def test_a_look_back_before_the_first_year_reads_everything(lane: Lane) -> None:
    lane.execute(
        "create table events (id int primary key, updated_at date not null)",
        "insert into events values (1, '0001-01-01')",
    )
    settings = {"INGEST_INCREMENTAL": "events.updated_at"}
    assert [lane.land_one(settings).rows for _ in range(2)] == [1, 1]


def test_a_change_column_is_named_exactly(events: Lane) -> None:
    with pytest.raises(SettingsError, match="not a pattern"):
        events.land({"INGEST_INCREMENTAL": "*.updated_at"})


def test_after_a_landing_of_the_future_all_is_compared(events: Lane, caplog: pytest.LogCaptureFixture) -> None:
    """The clock stands until then, and the week after which all is compared would not end."""
    _land(events, "2205-03-02T00:00:00")
    events.execute("delete from events where id <= 10")
    table = events.land_one(SETTINGS)
    assert table.deleted == 10 and _raw(events) == _source(events)
    assert "The last landing is dated 2205-03-02" in caplog.text
