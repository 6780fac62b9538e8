"""The landing on Redshift: rows of MySQL found again by Redshift's own driver, what changed, what is refused by name."""

import datetime
import decimal
import os
import re
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from ingestion.mysql import land
from landing.files import CopyUnavailable
from landing.report import LandingReport, TableReport
from landing.settings import from_environment
from landing.warehouse.session import AnotherLanding, WarehouseUnavailable
from tests.conftest import PROJECT, Lane
from tests.redshift.conftest import BUCKET, READER, Redshift
from tests.redshift.proxy import Proxy

UTC = datetime.timezone.utc


class Shop:
    """A source of its own and where it lands on Redshift."""

    def __init__(self, lane: Lane, redshift: Redshift) -> None:
        self.redshift, self.raw, self.execute = redshift, lane.raw, lane.execute
        self.environment = redshift.environment | lane.environment | {"DBT_TARGET": "redshift"}

    def land(self, environment: dict[str, str] | None = None, **options: Any) -> LandingReport:
        return land(from_environment(self.environment | (environment or {}), **options))

    def land_one(self, **options: Any) -> TableReport:
        (table,) = self.land(**options).tables
        return table

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.redshift.query(sql.replace("{raw}", self.raw))


@pytest.fixture
def shop(lane: Lane, redshift: Redshift) -> Iterator[Shop]:
    yield Shop(lane, redshift)
    if redshift.proxy:
        redshift.proxy.before = lambda sql: None
    redshift.query(f"drop schema if exists {lane.raw} cascade")


@pytest.fixture
def items(shop: Shop) -> Shop:
    shop.execute(
        "create table items (id int primary key, name varchar(20), price decimal(10,2), sold date)",
        "insert into items values (1, 'a', 1.50, '2003-01-01'), (2, '', 2.00, null), (3, null, 3.25, '2004-02-29')",
    )
    return shop


def files_in_the_bucket() -> list[str]:
    return [file["Key"] for file in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


VALUES: dict[str, tuple[str, str, Any]] = {
    # name: MySQL type, MySQL literal, what Redshift's driver reads
    "small": ("tinyint", "-128", -128),
    "large": ("bigint unsigned", "18446744073709551615", decimal.Decimal(2**64 - 1)),
    "padded": ("int(8) unsigned zerofill", "42", 42),
    "money": ("decimal(12,2)", "-0.10", decimal.Decimal("-0.10")),
    "precise": ("decimal(65,30)", "0.000000000000000000000000000001", "0.000000000000000000000000000001"),
    "nineteen": ("decimal(19,2)", "99999999999999999.99", decimal.Decimal("99999999999999999.99")),
    "digits": ("double", "0.1", 0.1),
    "least": ("float", "1.17549435e-38", None),
    "flags": ("bit(64)", "b'1'", decimal.Decimal(1)),
    "vintage": ("year", "1936", 1936),
    "day": ("date", "'0999-12-31'", datetime.date(999, 12, 31)),
    "moment": ("datetime(6)", "'2005-05-31 23:59:59.000001'", datetime.datetime(2005, 5, 31, 23, 59, 59, 1)),
    "instant": ("timestamp", "'2005-05-31 10:00:00'", datetime.datetime(2005, 5, 31, 10, tzinfo=UTC)),
    "span": ("time", "'-838:59:59'", "-838:59:59"),
    "empty": ("varchar(10)", "''", ""),
    "nothing": ("varchar(10)", "null", None),
    "mark": ("varchar(10)", r"'\\N'", r"\N"),
    "blanks": ("varchar(10)", "'  a  '", "  a  "),
    "quotes": ("varchar(40)", """'a "b", ''c'' \\\\ %s\n\r\n\td'""", "a \"b\", 'c' \\ %s\n\r\n\td"),
    "wide": ("varchar(3)", "'\U0001f697\U0001f697é'", "\U0001f697\U0001f697é"),
    "latin": ("varchar(3) character set latin1", "'€ü'", "€ü"),
    "longest": ("mediumtext", "repeat('ab', 32767)", "ab" * 32767),
    "document": ("json", """'{"a": [1, "ü"]}'""", '{"a": [1, "ü"]}'),
    "choice": ("enum('','sedan','coupé')", "'coupé'", "coupé"),
    "choices": ("set('a','b''c')", "'a,b''c'", "a,b'c"),
    "address": ("inet6", "'::1'", "::1"),
    "raw_bytes": ("varbinary(4)", "x'00ff5c27'", "00ff5c27"),
    "no_bytes": ("blob", "''", ""),
    "place": ("point", "st_geomfromtext('POINT(1 2)')", "000000000101000000000000000000f03f0000000000000040"),
    "select": ("int", "1", 1),
}


def test_values_arrive_as_they_are(shop: Shop) -> None:
    columns = ", ".join(f"`{name}` {kind}" for name, (kind, _, _) in VALUES.items())
    shop.execute(
        f"create table oddities (id int primary key, {columns})",
        f"insert into oddities select 1, {', '.join(value for _, value, _ in VALUES.values())}",
        "insert into oddities (id) values (2)",
    )
    table = shop.land_one()
    assert (table.status, table.inserted, table.reason) == ("landed", 2, "")
    in_hex = {"raw_bytes", "no_bytes", "place"}
    names = ", ".join(f"from_varbyte({name}, 'hex')" if name in in_hex else f'"{name}"' for name in VALUES)
    (row,) = shop.query(f"select {names} from {{raw}}.oddities where id = 1")
    for (name, (_, _, expected)), value in zip(VALUES.items(), row, strict=True):
        if name == "least":  # every digit of a float that MySQL has
            assert value == pytest.approx(1.17549435e-38, rel=1e-7), name
        else:
            assert value == expected and type(value) is type(expected), name
    (row,) = shop.query(f"select {names} from {{raw}}.oddities where id = 2")
    assert set(row) == {None}


def test_a_decimal_of_19_digits_has_room_for_all_of_them(shop: Shop) -> None:
    """Redshift holds 19 digits in eight bytes, so 9,223,372,036,854,775,807 would be the largest; 20 in sixteen."""
    shop.execute(
        "create table sums (id int primary key, a decimal(18,2), b decimal(19,2), c decimal(19,19), d decimal(38))"
    )
    shop.land()
    found = shop.query(
        "select column_name, data_type from svv_redshift_columns where schema_name = '{raw}' and table_name = 'sums'"
        " and data_type like 'numeric%' order by 1"
    )
    assert found == [("a", "numeric(18,2)"), ("b", "numeric(20,2)"), ("c", "numeric(20,19)"), ("d", "numeric(38,0)")]


def test_a_table_of_one_column(shop: Shop) -> None:
    """A row of it may be an empty line."""
    shop.execute("create table numbers (n int)", "insert into numbers values (null), (1), (null)")
    assert shop.land_one().inserted == 3
    assert sorted(shop.query("select n from {raw}.numbers"), key=str) == [(1,), (None,), (None,)]


def test_only_what_differs_is_touched(items: Shop) -> None:
    assert items.land_one().inserted == 3
    before = dict(items.query("select id, _loaded_at from {raw}.items"))
    items.execute(
        "update items set price = 9 where id = 2", "delete from items where id = 3", "insert into items (id) values (4)"
    )
    table = items.land_one()
    assert (table.inserted, table.updated, table.deleted) == (1, 1, 1)
    after = dict(items.query("select id, _loaded_at from {raw}.items"))
    assert after[1] == before[1] and after[2] > before[2] and after[4] == after[2] and 3 not in after
    assert items.query("select table_name, json_extract_path_text(row_key, 'id') from {raw}._landing_deletions") == [
        ("items", "3")
    ]
    table = items.land_one()
    assert (table.status, table.inserted, table.updated, table.deleted) == ("unchanged", 0, 0, 0)
    assert items.query("select count(*) from {raw}._landing_runs") == [(3,)]
    table = items.land_one(full_compare=True)
    assert (table.status, table.inserted, table.updated, table.deleted) == ("landed", 0, 0, 0)


@pytest.mark.parametrize("after", ["''", "null", "'a '", "' a'", "'A'"])
def test_a_text_that_redshift_would_call_equal_is_a_change(items: Shop, after: str) -> None:
    items.land()
    items.execute(f"update items set name = {after} where id = 1")
    assert items.land_one().updated == 1
    assert items.query("select name from {raw}.items where id = 1") == [(None if after == "null" else after[1:-1],)]


def test_keys_that_end_in_blanks_are_keys_of_their_own(shop: Shop) -> None:
    """PostgreSQL tells them apart by itself, Redshift does not: there only the statement can be looked at."""
    shop.execute(
        "create table codes (code varchar(9) collate utf8mb4_nopad_bin, part int, n int, primary key (code, part))",
        "insert into codes values ('a', 1, 1), ('a ', 1, 2), ('a \"\\\\\n', 1, 3), ('', 1, 4)",
    )
    assert shop.land_one().inserted == 4
    shop.execute("update codes set n = 5 where code = 'a'", "delete from codes where n in (2, 3)")
    table = shop.land_one()
    assert (table.inserted, table.updated, table.deleted) == (0, 1, 2)
    assert sorted(shop.query("select code, n from {raw}.codes")) == [("", 4), ("a", 5)]
    keys = shop.query("select json_extract_path_text(row_key, 'code') from {raw}._landing_deletions")
    if shop.redshift.proxy:
        compared = [
            sql for sql in shop.redshift.proxy.statements if f'delete from "{shop.raw}"' in sql and "using" in sql
        ]
        assert compared and all(""""code" || '.' = """ in sql for sql in compared)
    assert sorted(keys) == [("a ",), ('a "\\\n',)]


def test_rows_without_a_key_are_counted(shop: Shop) -> None:
    shop.execute("create table log (line varchar(9), n int)", "insert into log values ('a', 1), ('a', 1), ('b', null)")
    assert shop.land_one().inserted == 3
    ((first,),) = shop.query("select max(_loaded_at) from {raw}.log")
    shop.execute("insert into log values ('a', 1), ('c', 2)", "delete from log where line = 'b'")
    table = shop.land_one()
    assert (table.inserted, table.updated, table.deleted) == (2, 0, 1)
    rows = shop.query(f"select line, _loaded_at > '{first}' from {{raw}}.log order by 1, 2")
    assert rows == [("a", False), ("a", False), ("a", True), ("c", True)]
    shop.execute("delete from log where line = 'a' limit 2")
    table = shop.land_one()
    assert (table.inserted, table.updated, table.deleted) == (0, 0, 2)
    assert shop.query("select line, _loaded_at from {raw}.log where line = 'a'") == [("a", first)]
    assert shop.query("select count(*) from {raw}._landing_deletions where row_key like '%row_md5%'") == [(3,)]


def test_values_that_cannot_be_held_are_kept(shop: Shop) -> None:
    shop.execute(
        "create table days (id int primary key, day date, note varchar(9), long_note longtext)",
        "insert into days values (1, '2005-02-00', 'a\\0b', 'x\\0'), (2, '2005-02-01', 'ab', 'y'), (3, 0, null, null)",
    )
    table = shop.land_one()
    assert (table.status, table.cast_exceptions) == ("landed", 4)
    kept = shop.query(
        "select column_name, json_extract_path_text(row_key, 'id'), original_text, encoding from {raw}._landing_exceptions"
    )
    assert sorted(kept) == [
        ("day", "1", "2005-02-00", "text"),
        ("day", "3", "0000-00-00", "text"),
        ("long_note", "1", "7800", "hex"),
        ("note", "1", "610062", "hex"),
    ]
    assert shop.query("select day, note from {raw}.days where id = 1") == [(None, None)]
    shop.execute("update days set day = '2005-02-02', note = 'c', long_note = '' where id = 1")
    table = shop.land_one()
    assert (table.updated, table.cast_exceptions) == (1, 1)


def test_drift_is_judged(items: Shop) -> None:
    items.land()
    items.query(f"grant select on {items.raw}.items to {READER}")
    rows = "select id, name, price, sold, _loaded_at, _row_md5 from {raw}.items order by 1"
    before = items.query(rows)
    items.execute("alter table items add note varchar(5), modify name varchar(40), modify id bigint")
    table = items.land_one()
    assert (table.status, table.updated, len(table.notes)) == ("landed", 0, 3)
    assert items.query(rows) == before
    items.execute("update items set note = 'new' where id = 1")
    assert items.land_one().updated == 1
    items.execute("alter table items modify name varchar(10)")
    table = items.land_one()
    assert table.status == "failed" and "its definition changed" in table.reason
    assert items.query("select count(*) from {raw}.items") == [(3,)]
    table = items.land_one(accept_drift=True)
    assert (table.status, table.inserted) == ("landed", 3)
    granted = items.redshift.query(
        "select relation_name, privilege_type from svv_relation_privileges"
        f" where namespace_name = '{items.raw}' and identity_name = '{READER}'"
    )
    assert granted == [("items", "select")]


def test_a_view_that_holds_a_raw_table_is_named(items: Shop) -> None:
    items.land()
    items.query("create view {raw}.prices as select price from {raw}.items")
    items.execute("alter table items modify name varchar(40)")
    table = items.land_one()
    assert table.status == "failed" and f"views hold it: {items.raw}.prices. Drop them" in table.reason
    assert items.query("select count(*) from {raw}.prices") == [(3,)]
    items.query("drop view {raw}.prices")
    assert items.land_one().status == "landed"


def test_a_text_longer_than_redshift_holds_fails_its_table_by_name(items: Shop) -> None:
    items.execute("create table notes (id int primary key, body longtext)", "insert into notes values (1, 'a')")
    items.land()
    items.execute("update notes set body = repeat('é', 32768)", "update items set price = 7 where id = 1")
    report = {table.source_table: table for table in items.land().tables}
    assert (report["items"].status, report["items"].updated) == ("landed", 1)
    assert report["notes"].status == "failed" and "exceeds DDL length (column body)" in report["notes"].reason
    assert items.query("select id, body from {raw}.notes") == [(1, "a")]


@pytest.mark.parametrize(
    ("value", "arrives"), [("3.26", "3.25"), ("t", ""), ("", "t"), ("2:323030352D30322D3030", "2:323030352D30332D3030")]
)
def test_what_arrives_changed_is_not_published(items: Shop, stand_in: Proxy, value: str, arrives: str) -> None:
    """A number; an empty text that becomes NULL, and the other way; the original of a value that cannot be held."""
    items.execute("alter table items modify sold date after name")
    items.land()
    items.execute("set sql_mode = ''", "insert into items values (5, '', '2005-02-00', 3.26), (6, null, null, 1)")
    stand_in.copy.damaged[value] = arrives
    table = items.land_one()
    stand_in.copy.damaged.clear()
    assert table.status == "failed" and "5 rows with checksum" in table.reason and "arrived" in table.reason
    assert items.query("select count(*) from {raw}.items") == [(3,)]
    assert items.land_one().inserted == 2


def test_texts_that_together_are_longer_than_one_may_be(shop: Shop) -> None:
    """Redshift cannot put them together in one text, not even to look at them."""
    texts = ", ".join(f"text_{number} mediumtext" for number in range(4))
    shop.execute(
        f"create table notes (id int primary key, {texts})",
        "insert into notes values (1, repeat('é', 32767), repeat('\"', 65534), repeat('x', 65534), null)",
    )
    assert shop.land_one().inserted == 1
    assert shop.query("select len(text_0), len(text_1), len(text_2) from {raw}.notes") == [(32767, 65534, 65534)]


def test_a_table_that_cannot_be_published_holds_up_no_other(items: Shop) -> None:
    items.execute("create table notes (id int primary key, body text)", "insert into notes values (1, 'a')")
    items.land()
    items.query("alter table {raw}.items drop column _row_md5")
    items.execute("update notes set body = 'b'", "update items set price = 7 where id = 1")
    report = {table.source_table: table for table in items.land().tables}
    assert (report["notes"].status, report["notes"].updated) == ("landed", 1)
    assert report["items"].status == "failed" and "could not be published" in report["items"].reason
    items.query("drop table {raw}.items")
    report = {table.source_table: table for table in items.land().tables}
    assert (report["items"].status, report["items"].inserted) == ("landed", 3)


def test_a_value_that_redshift_refuses_fails_its_table_by_name(items: Shop) -> None:
    """Redshift calls it an internal error."""
    items.execute("create table notes (id int primary key, body text)", "insert into notes values (1, 'a')")
    items.land()
    items.query("alter table {raw}.items alter column name type varchar(1)")
    items.execute("update notes set body = 'b'", "update items set name = 'secret' where id = 1")
    report = {table.source_table: table for table in items.land().tables}
    assert report["notes"].status == "landed"
    assert report["items"].status == "failed" and "secret" not in report["items"].reason
    assert re.search(r"value too long for .*, SQLSTATE XX000", report["items"].reason, re.IGNORECASE)


def test_a_conflict_with_another_transaction_is_no_tables_fault(items: Shop, stand_in: Proxy) -> None:
    items.land()
    connection = stand_in.backend.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            f"create function {items.raw}.conflict() returns trigger language plpgsql as $$ begin"
            " raise exception using errcode = 'XX000', message = '1023',"
            " detail = 'Serializable isolation violation on table - 1, transactions forming the cycle are: 2, 3'; end $$;"
            f" create trigger conflict before insert on {items.raw}.items execute function {items.raw}.conflict()"
        )
    items.execute("update items set price = 7 where id = 1")
    with pytest.raises(WarehouseUnavailable, match="stopped a statement"):
        items.land()
    with connection.cursor() as cursor:
        cursor.execute(f"drop function {items.raw}.conflict() cascade")
    connection.close()
    assert items.land_one().updated == 1


def test_rows_taken_out_come_back(items: Shop) -> None:
    items.land()
    items.query("delete from {raw}.items where id = 1")
    assert items.land_one().inserted == 1
    items.query("insert into {raw}.items select * from {raw}.items where id = 1")
    table = items.land_one(full_compare=True)
    assert table.status == "landed"
    items.execute("update items set price = 8 where id = 1")
    items.land()
    assert items.query("select price from {raw}.items where id = 1") == [(decimal.Decimal("8.00"),)]


def test_two_raw_tables_that_took_each_others_names_are_told_apart(shop: Shop) -> None:
    for table in ("a", "b"):
        shop.execute(
            f"create table {table} (id int primary key, v varchar(9))", f"insert into {table} values (1, '{table}')"
        )
    shop.land()
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        shop.query(f"alter table {{raw}}.{old} rename to {new}")
    assert shop.land().status == "ok"
    assert shop.query("select a.v, b.v from {raw}.a cross join {raw}.b") == [("a", "b")]
    assert [table.status for table in shop.land().tables] == ["unchanged", "unchanged"]


def test_an_incremental_table_is_read_from_its_last_change(shop: Shop) -> None:
    shop.execute(
        "create table events (id int primary key, n int, changed datetime not null, born date)",
        "set sql_mode = ''",
        "insert into events values (1, 1, '2005-01-01', null), (2, 2, '2005-01-09', '0000-00-00')",
    )
    incremental = {"INGEST_INCREMENTAL": "events.changed"}
    (table,) = shop.land(incremental).tables
    assert table.cast_exceptions == 1
    shop.execute(
        "delete from events where id = 1",
        "update events set n = 3, changed = '2005-01-10', born = '2004-01-01'",
        "insert into events values (3, 3, '2005-01-10', null)",
    )
    (table,) = shop.land(incremental).tables
    assert (table.rows, table.inserted, table.updated, table.deleted) == (2, 1, 1, 0)
    assert table.cast_exceptions == 0  # the value was mended
    (table,) = shop.land(incremental, full_compare=True).tables
    assert (table.inserted, table.updated, table.deleted) == (0, 0, 1)


def test_nothing_stays_in_the_bucket(items: Shop, stand_in: Proxy) -> None:
    settings = from_environment(items.environment)
    assert settings.bucket
    left = f"{settings.bucket.prefix}{settings.arrival_schema}/killed/items/0.csv"
    other = f"{settings.bucket.prefix}landing_of_another/0.csv"
    for key in (left, other):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"1")
    assert items.land_one().status == "landed"
    assert files_in_the_bucket() == [other]
    boto3.client("s3").put_object(Bucket=BUCKET, Key=left, Body=b"1")
    assert items.land_one().status == "unchanged"  # nothing to load, and yet
    assert files_in_the_bucket() == [other]
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=other)


@pytest.fixture
def requests() -> Iterator[Any]:
    """The events of every S3 client that is made during the test."""
    boto3.setup_default_session()
    yield boto3.DEFAULT_SESSION.events
    boto3.DEFAULT_SESSION = None


def test_files_are_removed_by_one_request(items: Shop, stand_in: Proxy, requests: Any) -> None:
    items.execute("create table notes (id int primary key)", "insert into notes values (1)")
    calls: list[str] = []

    def call(model: Any, **_: Any) -> Any:
        calls.append(model.name)
        if model.name == "DeleteObjects" and refused:
            error = {"Key": "landing/0.csv", "Code": "AccessDenied", "Message": "Access Denied"}
            return types.SimpleNamespace(status_code=200), {"Errors": [error], "ResponseMetadata": {}}
        return None

    requests.register("before-call.s3", call)
    refused = False
    assert items.land().status == "ok"
    removed = {name: calls.count(name) for name in ("PutObject", "DeleteObjects", "DeleteObject")}
    assert removed == {"PutObject": 2, "DeleteObjects": 2, "DeleteObject": 0}, "two loads of a file each"
    refused = True
    items.execute("insert into notes values (2)")
    with pytest.raises(CopyUnavailable, match="AccessDenied on DeleteObjects"):
        items.land()
    refused = False
    assert items.land().status == "ok"
    assert files_in_the_bucket() == []


def test_a_bucket_that_is_not_there_is_named(items: Shop, stand_in: Proxy) -> None:
    with pytest.raises(CopyUnavailable, match=r"S3 bucket elsewhere: NoSuchBucket on \w+\. Check REDSHIFT_STAGING_URL"):
        items.land({"REDSHIFT_STAGING_URL": "s3://elsewhere/landing"})


def test_a_role_that_may_not_read_is_an_error(items: Shop, stand_in: Proxy) -> None:
    with pytest.raises(CopyUnavailable, match="Redshift at localhost"):
        items.land({"REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/another"})
    assert files_in_the_bucket() == []


def test_one_landing_at_a_time(items: Shop) -> None:
    items.land()
    with items.redshift.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("begin")
        cursor.execute(f"lock table {items.raw}._landing_lock")
        with pytest.raises(AnotherLanding, match="is running"):
            items.land(lock_wait=1)
        cursor.execute("rollback")
    assert items.land().status == "ok"


@pytest.mark.parametrize("moment", ["copy ", "select count(*), coalesce(sum(strtol", "insert into {raw}._landing_runs"])
def test_a_lost_lock_ends_the_landing_and_the_next_one_heals(items: Shop, stand_in: Proxy, moment: str) -> None:
    """Ended by the server while files are loaded, before the transaction begins, and within it."""
    items.land()
    items.execute("update items set price = 7 where id = 1")
    text = moment.replace("{raw}", f'"{items.raw}"')
    ended: list[Any] = []

    def lose_the_lock(sql: str) -> None:
        if not sql.startswith(text) or ended:
            return
        connection = stand_in.backend.connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid, 5000) from pg_locks where relation = %s::regclass",
                (f"{items.raw}._landing_lock",),
            )
            ended.extend(cursor.fetchall())
        connection.close()

    stand_in.before = lose_the_lock
    with pytest.raises(WarehouseUnavailable, match="the lock was lost"):
        items.land()
    assert ended == [(True,)]
    assert items.query("select price from {raw}.items where id = 1") == [(decimal.Decimal("1.50"),)]
    assert items.land_one().updated == 1


def test_what_waits_is_asked_whenever_files_are_loaded(items: Shop, stand_in: Proxy) -> None:
    before = stand_in.statements.count("select 1")
    items.land()
    assert stand_in.statements.count("select 1") - before == 4  # this connection and the lock; the lock again, twice


def test_a_landing_that_is_killed_heals_on_the_next_run(items: Shop) -> None:
    items.execute("insert into items (id) select seq from seq_4_to_2000")
    items.land()
    items.execute("update items set price = 5", "delete from items where id > 1990")
    slow = os.environ | items.environment | {"INGEST_ROWS_PER_SECOND": "800"}
    running = subprocess.Popen([sys.executable, "-m", "ingestion", "--quiet"], cwd=PROJECT, env=slow)
    schema = items.raw.replace("raw_", "landing_", 1)
    for _ in range(200):
        if items.query(f"select 1 from information_schema.tables where table_schema = '{schema}'"):
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert items.query("select count(*), max(price) from {raw}.items") == [(2000, decimal.Decimal("3.25"))]
    table = items.land_one()
    assert (table.inserted, table.updated, table.deleted) == (0, 1990, 10)
    assert items.query(f"select count(*) from information_schema.tables where table_schema = '{schema}'") == [(0,)]


def test_a_wrong_password_is_told_in_one_line(items: Shop) -> None:
    wrong = items.environment | {"REDSHIFT_PASSWORD": "wrong"}  # pragma: allowlist secret
    run = subprocess.run(
        [sys.executable, "-m", "ingestion"], cwd=PROJECT, env=wrong, capture_output=True, text=True, check=False
    )
    assert run.returncode == 3
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: Redshift at ") and "Check REDSHIFT_USER and REDSHIFT_PASSWORD" in line


def test_raw_tables_have_keys(items: Shop) -> None:
    """Rows of one key lie on one node; what changed last lies together. Bytes can be no such key."""
    items.execute(
        "create table log (line varchar(9))",
        "create table tokens (token binary(16) primary key, n int)",
        "create table uses (token binary(16), place int, primary key (token, place))",
        "insert into tokens values (cast(unhex('00ff') as binary(16)), 1)",
        "insert into uses values (cast(unhex('00ff') as binary(16)), 1), (unhex('01'), 1)",
    )
    items.land()
    items.execute("update tokens set n = 2", "delete from uses where token = cast(unhex('01') as binary(16))")
    report = {table.source_table: table for table in items.land().tables}
    assert (report["tokens"].updated, report["uses"].deleted) == (1, 1)
    found = items.query(
        'select "table", diststyle, sortkey1 from svv_table_info where "schema" = \'{raw}\' and "table" not like \'%landing%\''
    )
    assert sorted(found) == [
        ("items", "KEY(id)", "_loaded_at"),
        ("log", "EVEN", "_loaded_at"),
        ("tokens", "EVEN", "_loaded_at"),
        ("uses", "KEY(place)", "_loaded_at"),
    ]
