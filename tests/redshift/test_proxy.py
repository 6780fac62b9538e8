"""The stand-in itself: what it changes on the way to PostgreSQL, and what it refuses."""

from pathlib import Path

import psycopg2
import pytest
from redshift_connector.error import InterfaceError, ProgrammingError

from tests.redshift.conftest import Redshift, certificate
from tests.redshift.proxy import Proxy
from tests.redshift.rewrite import plain, rewrite


def test_the_drivers_session_looks_like_redshift(redshift: Redshift, stand_in: Proxy) -> None:
    ((version, average),) = redshift.query(
        "select version(), avg(n) from (select 1 as n union all select 2) as numbers"
    )
    assert "Redshift" in version and average == 1


def test_crc32_is_the_one_of_redshift(redshift: Redshift) -> None:
    """The example of AWS's documentation: CRC-32C, where MySQL's would be 32def43d."""
    assert redshift.query("select crc32('Amazon Redshift')") == [("f2726906",)]


def test_a_text_has_no_more_than_65535_bytes(redshift: Redshift) -> None:
    assert redshift.query("select len(repeat('é', 32767) || 'x')") == [(32768,)]
    with pytest.raises(ProgrammingError, match="too long|exceeds"):
        redshift.query("select len(repeat('é', 32767) || 'xy')")


def test_another_servers_certificate_is_not_accepted(
    redshift: Redshift, stand_in: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path)))
    with pytest.raises(InterfaceError, match="communication error"):
        redshift.connect()


def test_without_tls_or_the_password_there_is_no_session(redshift: Redshift, stand_in: Proxy) -> None:
    where = f"host=localhost port={stand_in.port} dbname={stand_in.backend.database} user=dbt_redshift"
    with pytest.raises(psycopg2.OperationalError, match="TLS is required"):
        psycopg2.connect(f"{where} sslmode=disable", password=redshift.environment["REDSHIFT_PASSWORD"])
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"{where} sslmode=require", password="wrong")  # pragma: allowlist secret


def test_a_refused_statement_ends_the_transaction_and_not_the_session(redshift: Redshift, stand_in: Proxy) -> None:
    with redshift.connect() as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("begin")
        with pytest.raises(ProgrammingError, match="filter"):
            cursor.execute("select count(*) filter (where true)")
        with pytest.raises(ProgrammingError, match="transaction is aborted"):
            cursor.execute("select 1")
        cursor.execute("rollback")
        cursor.execute("select 1")
        assert [tuple(row) for row in cursor.fetchall()] == [(1,)]


def test_physical_design_is_kept_through_a_rename(redshift: Redshift, stand_in: Proxy) -> None:
    rows = redshift.query(
        "create table public.draft (id integer encode az64, day date) diststyle key distkey (id) compound sortkey (day, id)",
        "alter table public.draft rename to kept",
        "select diststyle, sortkey1, sortkey_num from svv_table_info where \"table\" = 'kept'",
    )
    assert rows == [("KEY(id)", "day", 2)]
    rows = redshift.query(
        "select \"column\", encoding, distkey, sortkey from pg_table_def where tablename = 'kept' order by 1"
    )
    assert rows == [("day", "none", False, 1), ("id", "az64", True, 2)]
    redshift.query("drop table public.kept")


REWRITTEN = {
    'create table "T" (a int distkey, b int sortkey)': 'create table "t" (a int , b int ) /*redshift'
    ' {"distkey": "a", "sortkey": ["b"]}*/',
    "create temporary table t backup no diststyle all as (select 1 as diststyle);": "create temporary table t"
    '   as (select 1 as diststyle) /*redshift {"backup": false, "diststyle": "all"}*/',
    "create view v as select 1 with no schema binding;": 'create view v as select 1 /*redshift {"late_binding": true}*/',
    "select dateadd(month, 1, day), sysdate": "select dateadd('month', 1, day), getdate()",
    "select 'distkey(a) sysdate' -- sysdate": "select 'distkey(a) sysdate' -- sysdate",
    'create schema if not exists "dev"."marts"': 'create schema if not exists "marts"',
    'SHOW TABLES FROM SCHEMA "dev"."marts"': "select * from redshift.show_tables('marts')",
}


@pytest.mark.parametrize("sql", REWRITTEN)
def test_what_redshift_alone_knows_is_taken_out(sql: str) -> None:
    assert rewrite(sql) == REWRITTEN[sql]


def test_comments_are_no_part_of_a_statement() -> None:
    assert plain("/* who */ select 1 -- why\n;") == "select 1"
