"""What every MySQL is asked, whatever its version: which settings, in which order, and how floats come."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import Lane


@pytest.fixture
def said(lane: Lane) -> Iterator[list[str]]:
    """The statements of one landing of a table, a MyISAM table and a view, as the server's general log has them."""
    lane.execute(
        "create table items (id int primary key, v float)",
        "create table old (id int primary key) engine = myisam",
        "create view seen as select id from items",
        "insert into items values (1, 0.1)",
    )
    ((outputs, on),) = lane.source("select @@global.log_output, @@global.general_log")
    lane.execute("set global log_output = 'TABLE'", "truncate mysql.general_log", "set global general_log = 1")
    try:
        assert lane.land({"INGEST_VIEWS": "true"}).status == "ok"
    finally:
        lane.execute(f"set global general_log = {on}", f"set global log_output = '{outputs}'")
    user = lane.environment["MYSQL_USER"]
    found = lane.source(
        f"select argument from mysql.general_log where command_type = 'Query' and user_host like '{user}[{user}]%'"
    )
    yield [text.decode() if isinstance(text, bytes) else text for (text,) in found]


def test_the_catalog_is_asked_before_the_transaction_and_definitions_are_held_before_the_snapshot(
    said: list[str],
) -> None:
    """MySQL 8 reads its catalog by InnoDB: within the transaction it could open the snapshot of the rows."""
    begins = said.index("START TRANSACTION READ ONLY")
    held = [at for at, text in enumerate(said) if re.search(r"SELECT 1 FROM .* LIMIT 0$", text)]
    opened = [at for at, text in enumerate(said) if re.search(r"SELECT 1 FROM .* LIMIT 1$", text)]
    catalog = [at for at, text in enumerate(said) if "information_schema" in text]
    assert len(held) == 3 and len(opened) == 2
    assert catalog[0] < begins < held[0] and held[-1] < opened[0]
    assert not [at for at in catalog if begins < at < opened[-1]]


def test_a_server_is_given_only_settings_that_it_has(lane: Lane, said: list[str]) -> None:
    limits = {name for text in said for name in re.findall(r"SET SESSION (max_\w+_time) =", text)}
    known = lane.source("show variables where variable_name in ('max_execution_time', 'max_statement_time')")
    assert limits == {name for name, _ in known}


def test_every_digit_of_a_float_and_a_minus_zero_where_there_is_one_land(lane: Lane) -> None:
    lane.execute(
        "create table items (id int primary key, f float, d double, z float(9,3) unsigned zerofill)",
        "insert into items values (1, 0.1, 0.1, 1.5), (2, -1e0 * 0e0, -1e0 * 0e0, 0),"
        " (3, 3.4028234e38, 1.7976931348623157e308, 0), (4, 1.17549435e-38, 5e-324, 12345.678), (5, null, null, null)",
    )
    minus_zero = lane.source("select concat(f), concat(d) from items where id = 2")  # MariaDB stores none
    lane.land_one()
    rows = lane.warehouse("select f::text, d::text, z::text from {raw}.items order by id")
    assert rows == [
        ("0.10000000149011612", "0.1", "1.5"),
        (*minus_zero[0], "0"),
        ("3.4028234663852886e+38", "1.7976931348623157e+308", "0"),
        ("1.1754943508222875e-38", "5e-324", "12345.677734375"),
        (None, None, None),
    ]
