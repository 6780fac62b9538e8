"""MySQL names -> warehouse names."""

import re

import pytest

from landing.names import MAX_LENGTH, RESERVED, quote, quote_mysql, snake_case, warehouse_names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customerNumber", "customer_number"),
        ("MSRP", "msrp"),
        ("Order ID", "order_id"),
        ("HTTPServerName", "http_server_name"),
        ("address2Line", "address2_line"),
        ("a.b%c`d'e\"f", "a_b_c_d_e_f"),
        ("größe", "gr_e"),
        ("2004_sales", "_2004_sales"),
        ("订单", "unnamed"),
        ("", "unnamed"),
        ("select", "select"),
    ],
)
def test_names_become_lower_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize("name", ["_loaded_at", "_exceptions", "_landing_runs", "_dlt_id", "__x"])
def test_the_landings_own_names_stay_free(name: str) -> None:
    assert not re.match("_[a-z]", snake_case(name))


KEPT = (
    *("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid"),
    *("landing_runs", "landing_tables", "landing_columns", "landing_state", "landing_exceptions", "landing_deletions"),
)
"""Postgres's own columns, and the types that the landing's own tables bring."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, f"{name}_") for name in KEPT),
        *(("CTID", "ctid_"), ("Xmin", "xmin_"), ("_landing_runs", "landing_runs_"), ("landingState", "landing_state_")),
    ],
)
def test_what_postgres_refuses_gets_an_underscore(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_nothing_else_gets_one() -> None:
    assert set(KEPT) == RESERVED


def test_names_that_become_the_same_are_told_apart() -> None:
    names = ["orderId", "order_id", "Order ID", "ORDER_ID", "größe", "grüße"]
    given = warehouse_names(names)
    assert len(set(given.values())) == len(names)
    assert given["order_id"] == "order_id"
    assert re.fullmatch("order_id_[0-9a-f]{8}", given["orderId"])
    assert given == warehouse_names(reversed(names)), "the order of the names must not matter"


def test_without_an_unchanged_name_the_first_in_the_alphabet_keeps_it() -> None:
    given = warehouse_names(["orderId", "Order ID"])
    assert given["Order ID"] == "order_id" and given["orderId"].startswith("order_id_")


def test_a_name_that_looks_like_a_hashed_one_does_not_take_its_place() -> None:
    forged = warehouse_names(["order_id", "Order ID"])["Order ID"]
    given = warehouse_names(["order_id", "Order ID", forged])
    assert given[forged] == forged and len(set(given.values())) == 3


def test_long_names_are_cut_and_stay_distinct() -> None:
    longest = "c" * MAX_LENGTH
    given = warehouse_names([longest, longest + "a", longest + "b"])
    assert given[longest] == longest
    assert len(set(given.values())) == 3 and all(len(name) <= MAX_LENGTH for name in given.values())


def test_quoting_leaves_no_way_out() -> None:
    assert quote_mysql("a`; drop table b; --") == "`a``; drop table b; --`"
    assert quote('a"; drop table b; --') == '"a""; drop table b; --"'
