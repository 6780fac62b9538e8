"""Tables with a whole number as key: of these, only the blocks of keys in which something changed are loaded."""

import random
from pathlib import Path

import pytest

from landing import steps
from landing.columns import RowSum
from landing.reading.blocks import BLOCK_ROWS, MOST_BLOCKS, better_bits, bits_for, digests_of, entry
from landing.report import TableReport
from tests.conftest import Lane, numbers
from tests.ingestion.lossy import losing

FIRST_DAY = "2005-03-01T00:00:00"


@pytest.fixture
def lines(lane: Lane) -> Lane:
    """5,000 rows in blocks of 128 to 256, keys from below zero, with one value that no date can hold."""
    lane.execute(
        "create table `lines` (number int, item varchar(9), day date, what varchar(20), primary key (number, item))",
        f"insert into `lines` select cast(seq as signed) div 2 - 1000, concat('i', seq % 2), '2005-01-01', 'old' from {numbers(5000)}",
        "set sql_mode = ''",
        "update `lines` set day = '0000-00-00' where number in (-900, 1100) and item = 'i0'",
    )
    _land(lane, FIRST_DAY)
    return lane


def _land(lane: Lane, as_of: str = "2005-03-02T00:00:00", **options: int) -> TableReport:
    return lane.land_one({"AS_OF": as_of}, **options)


def _assert_equal(lane: Lane) -> None:
    raw = lane.warehouse("select number, item, day, what from {raw}.lines order by 1, 2")
    assert raw == lane.source("select number, item, if(day = 0, null, day), what from `lines` order by 1, 2")


def test_the_blocks_that_changed_are_loaded(lines: Lane) -> None:
    lines.execute(
        "update `lines` set what = 'new' where number = -700 and item = 'i0'",
        "delete from `lines` where number = 500",
        "insert into `lines` values (700, 'i2', '2005-01-01', 'new')",
    )
    table = _land(lines)
    assert (table.rows, table.inserted, table.updated, table.deleted) == (5000 - 2 + 1, 1, 1, 2)
    assert 3 * BLOCK_ROWS <= table.loaded <= 3 * 2 * BLOCK_ROWS
    _assert_equal(lines)
    table = _land(lines, "2005-03-03T00:00:00")
    assert (table.status, table.loaded) == ("unchanged", 0)
    old = "select count(*) from {raw}.lines where _loaded_at = '2005-03-01 00:00+00'"
    assert lines.warehouse(old) == [(5000 - 2 - 1,)]


def test_blocks_that_are_new_or_gone(lines: Lane) -> None:
    lines.execute(
        "delete from `lines` where number between -600 and 0",
        f"insert into `lines` select 100000 + seq, 'far', '2005-01-01', 'new' from {numbers(1000)}",
        "insert into `lines` values (-2000000000, 'first', '2005-01-01', 'new')",
    )
    table = _land(lines)
    assert (table.inserted, table.updated, table.deleted) == (1001, 0, 1202)
    assert table.loaded < table.rows / 2
    _assert_equal(lines)
    lines.execute("delete from `lines`")
    assert _land(lines, "2005-03-03T00:00:00").deleted == 5000 - 1202 + 1001
    _assert_equal(lines)


def test_any_changes_land(lines: Lane) -> None:
    """Rows are changed, moved, deleted and inserted at random; after each landing both sides are equal."""
    chance = random.Random(7)
    for day in range(2, 12):
        for _ in range(chance.randrange(1, 12)):
            number, other = chance.randrange(-1100, 1700), chance.randrange(-1100, 1700)
            lines.execute(
                chance.choice(
                    [
                        f"update `lines` set what = 'day {day}' where number = {number}",
                        f"update ignore `lines` set number = {other} where number = {number}",
                        f"delete from `lines` where number between {number} and {number + chance.randrange(300)}",
                        f"replace into `lines` values ({number}, 'i7', '2005-02-03', 'day {day}')",
                        f"update `lines` set day = if(day = 0, '2005-05-05', day) where number < {number}",
                    ]
                )
            )
        table = _land(lines, f"2005-03-{day:02}T00:00:00")
        assert table.loaded < table.rows or day == 8  # a week after the first landing all is compared
        _assert_equal(lines)


def test_values_that_could_not_be_held_follow_their_rows(lines: Lane) -> None:
    kept = "select row_key::json ->> 'number' from {raw}._landing_exceptions order by 1"
    assert lines.warehouse(kept) == [("-900",), ("1100",)]
    lines.execute("update `lines` set what = 'new' where number = -901")
    assert _land(lines).cast_exceptions == 2
    lines.execute("delete from `lines` where number = 1100")
    assert _land(lines, "2005-03-03T00:00:00").cast_exceptions == 1
    assert lines.warehouse(kept) == [("-900",)]
    lines.execute("update `lines` set what = 'newer' where number = -700")
    (table,) = lines.land({"AS_OF": "2005-03-04T00:00:00"}, strict=True).tables  # also in a block that did not change
    assert table.reason == "1 rows hold a value that their warehouse type cannot, and that is --strict"


@pytest.mark.parametrize("how", ["after a week", "with --full"])
def test_a_raw_row_altered_by_hand_is_found_by_a_full_compare(lines: Lane, how: str) -> None:
    lines.warehouse("update {raw}.lines set what = 'by hand' where number = 3 returning 1")
    lines.execute("update `lines` set what = 'new' where number = -700 and item = 'i0'")
    assert _land(lines).updated == 1
    if how == "with --full":
        table = _land(lines, "2005-03-03T00:00:00", full_compare=True)
    else:
        assert _land(lines, "2005-03-07T00:00:00").status == "unchanged"
        table = _land(lines, "2005-03-08T00:00:00")
    assert (table.loaded, table.updated) == (5000, 2)
    _assert_equal(lines)


def test_rows_taken_out_or_put_in_by_hand_are_found_at_once(lines: Lane) -> None:
    lines.warehouse("delete from {raw}.lines where number between 10 and 12 returning 1")
    table = _land(lines)
    assert (table.loaded, table.inserted) == (5000, 6)
    _assert_equal(lines)


def test_what_was_read_is_held_against_what_mysql_counted(lines: Lane) -> None:
    """A row that gets lost on the way from MySQL is not taken for one that was deleted."""
    there = lines.environment["MYSQL_HOST"], int(lines.environment["MYSQL_PORT"])
    with losing(*there, lambda content: content[1:].startswith(b"42,")) as port:
        report = lines.land({"AS_OF": "2005-03-02T00:00:00", "MYSQL_PORT": str(port)})
    (table,) = report.tables
    assert table.status == "failed"
    assert "MySQL sent 5000 rows" in table.reason and "4998 rows" in table.reason
    _assert_equal(lines)


def test_what_arrived_is_held_against_what_was_read(lines: Lane) -> None:
    """A file is damaged after it was written and before it is copied."""
    lines.execute("update `lines` set what = 'new' where number = 42 and item = 'i0'")

    def damage(step: str, about: str) -> None:
        if step == "file finished":
            file = Path(about)
            file.write_bytes(file.read_bytes().replace(b"new", b"own"))

    steps.watchers.append(damage)
    try:
        (table,) = lines.land({"AS_OF": "2005-03-02T00:00:00"}).tables
    finally:
        steps.watchers.clear()
    assert table.status == "failed" and "arrived" in table.reason
    assert lines.warehouse("select what from {raw}.lines where number = 42 and item = 'i0'") == [("old",)]


def test_a_column_added_makes_it_whole(lines: Lane) -> None:
    lines.execute("alter table `lines` add column extra int default 5")
    table = _land(lines)
    assert (table.loaded, table.updated) == (5000, 5000)


def test_a_block_of_more_rows_than_a_file_is_loaded_without_waiting(lines: Lane) -> None:
    lines.execute(
        f"insert into `lines` select 77, concat('j', seq), '2005-01-01', 'new' from {numbers(2500)}",
        "update `lines` set what = 'new' where number = -900 and item = 'i1'",
    )
    assert _land(lines, chunk_rows=1000).inserted == 2500
    _assert_equal(lines)
    table = _land(lines, "2005-03-03T00:00:00", chunk_rows=1000)
    assert (table.status, table.inserted, table.updated) == ("landed", 0, 0)
    assert 2500 < table.loaded < 3000


@pytest.mark.parametrize(
    ("columns", "engine", "row"),
    [
        ("id varchar(9) primary key, what varchar(9)", "innodb", "concat('k', seq), 'old'"),
        ("id int, what varchar(9)", "innodb", "seq, 'old'"),
        ("id int, what int, primary key (what, id)", "innodb", "seq, seq"),
        ("id bigint unsigned primary key, what varchar(9)", "innodb", "seq, 'old'"),
        ("id bit(16) primary key, what varchar(9)", "innodb", "seq, 'old'"),
        ("id int primary key, what varchar(9)", "myisam", "seq, 'old'"),
        ("id int, what int, primary key (id, what)", "innodb", "1, seq"),
        ("id int, what date, primary key (id, what)", "innodb", "seq, '2005-01-01'"),
    ],
    ids=[
        "text",
        "no key",
        "not first",
        "too large",
        "bits",
        "no snapshot",
        "all rows of one key",
        "key that may be empty",
    ],
)
def test_other_tables_are_loaded_as_a_whole(lane: Lane, columns: str, engine: str, row: str) -> None:
    lane.execute(f"create table t ({columns}) engine = {engine}", f"insert into t select {row} from {numbers(1000)}")
    _land(lane, FIRST_DAY)
    assert _land(lane).status == "unchanged"
    lane.execute("delete from t order by what, id limit 1")
    table = _land(lane, "2005-03-03T00:00:00")
    assert (table.deleted, table.loaded) == (1, 999)


def test_mysql_sorts_nothing_for_it(lines: Lane) -> None:
    lines.execute("set global log_output = 'TABLE'", "truncate table mysql.general_log", "set global general_log = 1")
    try:
        _land(lines)
    finally:
        lines.execute("set global general_log = 0")
    selects = "select convert(argument using utf8mb4) from mysql.general_log where argument like '%%ORDER BY `number`'"
    ((select,),) = [row for row in lines.source(selects) if lines.database in str(row[0])]
    plan = lines.source(f"explain {select}")
    assert plan[0][5] == "PRIMARY" and "filesort" not in str(plan[0][-1])


def test_size_of_blocks() -> None:
    assert bits_for(span=1000, rows=1000) == 7  # 128 keys of one row
    assert bits_for(span=10_000, rows=80_000) == 4  # 16 keys of eight rows
    assert bits_for(span=1 << 40, rows=1 << 20) == 27  # one row in a million keys
    assert bits_for(span=100_000_000, rows=100_000_000) == 12  # no more than MOST_BLOCKS
    assert bits_for(span=1 << 63, rows=0) == 62
    assert bits_for(span=10, rows=100_000) is None
    for rows in (1, 100, 10_000, 10_000_000, 1_000_000_000):
        bits = bits_for(span=rows, rows=rows)
        assert bits is not None and rows >> bits <= MOST_BLOCKS


def test_blocks_that_turned_out_wrong_get_another_size() -> None:
    assert better_bits(7, blocks=20_000, rows=3_000_000) == 7
    assert better_bits(7, blocks=1, rows=7) == 7
    assert better_bits(30, blocks=2, rows=256_000) == 20  # one key far from all others
    assert better_bits(0, blocks=2, rows=256_000) == 0
    assert better_bits(3, blocks=50_000, rows=100_000) == 9  # most rows were deleted


def test_one_key_far_from_all_others(lane: Lane) -> None:
    lane.execute(
        "create table t (id int primary key, what varchar(9))",
        f"insert into t select seq, 'old' from {numbers(5000)}",
        "insert into t values (-2000000000, 'far'), (2000000000, 'far')",
    )
    _land(lane, FIRST_DAY)
    lane.execute("delete from t where id < 0")
    for day in range(2, 10):
        lane.execute(f"update t set what = 'day {day}' where id = 50")
        table = _land(lane, f"2005-03-{day:02}T00:00:00")
        assert (table.updated, table.deleted) == (1, int(day == 2))
    assert table.loaded <= 8 * BLOCK_ROWS


def test_entries_of_the_state() -> None:
    entries = [entry(7, -2, "ab"), entry(7, 5, "cd")]
    assert digests_of(entries) == (7, {-2: "ab", 5: "cd"})
    assert digests_of(["0f" * 16]) is None and digests_of([]) is None


def test_totals_add_up() -> None:
    assert RowSum(1, 5) + RowSum(2, 7) == RowSum(3, 12)


def test_what_no_text_can_hold_is_found_in_a_block_that_changed(lines: Lane) -> None:
    lines.execute("update `lines` set what = concat('a', char(0), 'b') where number = 42 and item = 'i0'")
    table = _land(lines)
    assert (table.updated, table.cast_exceptions) == (1, 3)
    assert lines.warehouse("select what from {raw}.lines where number = 42 and item = 'i0'") == [(None,)]


def test_a_partitioned_table(lane: Lane) -> None:
    """Its rows lie in the order of the key in each partition only: MySQL merges, or sorts, them."""
    lane.execute(
        "create table t (id int primary key, what text) partition by hash (id) partitions 4",
        f"insert into t select seq, repeat('x', seq % 90) from {numbers(5000)}",
    )
    _land(lane, FIRST_DAY)
    lane.execute("update t set what = 'new' where id = 2500", "delete from t where id = 4000")
    table = _land(lane)
    assert (table.rows, table.updated, table.deleted) == (4999, 1, 1) and table.loaded <= 4 * BLOCK_ROWS
    assert lane.warehouse("select id, what from {raw}.t order by 1") == lane.source("select id, what from t order by 1")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("bigint", (-(2**63), -1, 0, 2**63 - 1)),
        ("int(7) unsigned zerofill", (0, 1, 42, 2**32 - 1)),
        ("tinyint", (-128, -1, 0, 127)),
    ],
)
def test_the_ends_of_the_keys_types(lane: Lane, key: str, values: tuple[int, ...]) -> None:
    lane.execute(f"create table t (id {key} primary key, what varchar(9))")
    lane.execute(*(f"insert into t values ({value}, 'old')" for value in values))
    _land(lane, FIRST_DAY)
    for day, value in enumerate(values, 2):
        lane.execute(f"update t set what = 'new' where id = {value}")
        assert _land(lane, f"2005-03-{day:02}T00:00:00").updated == 1
    lane.execute(f"delete from t where id = {values[-1]}")
    assert _land(lane, "2005-03-07T00:00:00").deleted == 1
    assert lane.warehouse("select id, what from {raw}.t order by 1") == [(value, "new") for value in values[:-1]]
