"""What either server refuses, seen at real servers: each refusal says where, why and what to do."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import psycopg2
import pymysql
import pytest
from psycopg2 import sql

from ingestion.mysql import land
from landing.settings import from_environment
from sandbox import home, postgres
from tests.conftest import Lane, make_user

ROLE = "refused"


@pytest.fixture(scope="module")
def password() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def administrator() -> Iterator[Any]:
    connection = postgres.connect(home.read_state()[postgres.NAME])
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


@pytest.fixture
def role(lane: Lane, administrator: Any, password: str) -> Iterator[dict[str, str]]:
    """A role that may land, in a database of its own."""
    lane.execute("create table items (id int primary key, v varchar(9))", "insert into items values (1, 'a')")
    administrator.execute(sql.SQL("create role refused login password {}").format(sql.Literal(password)))
    administrator.execute("grant refused to current_user")
    administrator.execute("create database refused owner refused")
    yield lane.environment | {"PGUSER": ROLE, "PGPASSWORD": password, "PGDATABASE": ROLE}
    administrator.execute("drop database refused with (force)")
    administrator.execute("drop role refused")


def refusal(lane: Lane, environment: dict[str, str]) -> str:
    """The one line of a landing that could not be: no number or class stands for a cause."""
    result = lane.cli(environment=environment)
    assert result.returncode in (1, 3), result.stdout + result.stderr
    (said,) = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("error: ")]
    assert not re.search(r"SQLSTATE|[Ee]rror \d|[a-z]Error\b|which its manual explains", said), said
    return said


WAREHOUSE = {
    "alter role refused nologin": "user 'refused' may not log in: ALTER ROLE refused LOGIN",
    "alter role refused connection limit 0": "ALTER ROLE refused CONNECTION LIMIT",
    "alter role refused connection limit 1": "ALTER ROLE refused CONNECTION LIMIT",
    "alter database refused allow_connections false": "ALTER DATABASE refused ALLOW_CONNECTIONS true",
    "alter database refused connection limit 0": "ALTER DATABASE refused CONNECTION LIMIT",
    "revoke connect on database refused from public, refused": "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE refused",
    "alter role refused set default_transaction_read_only = on": "SET default_transaction_read_only = off",
    "alter database refused owner to postgres": "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE refused",
    "alter role refused valid until '2001-01-01'": "that the password has not expired (VALID UNTIL)",
    "alter role refused set statement_timeout = 1": "a statement took longer than statement_timeout: ALTER ROLE refused",
}


@pytest.mark.parametrize("statement", WAREHOUSE)
def test_a_refusal_of_the_warehouse(lane: Lane, role: dict[str, str], administrator: Any, statement: str) -> None:
    administrator.execute("select current_user")
    administrator.execute(statement.replace("to postgres", f"to {administrator.fetchone()[0]}"))
    said = refusal(lane, role)
    assert said.startswith("error: Postgres at 127.0.0.1:") and WAREHOUSE[statement] in said, said


LOGINS = {
    ("PGPASSWORD", "wrong"): "the login of user 'refused' is refused. Check PGUSER and PGPASSWORD",
    ("PGUSER", "nobody_of_that_name"): "the login of user 'nobody_of_that_name' is refused. Check PGUSER",
    ("PGDATABASE", "nowhere"): "there is no database 'nowhere' or user 'refused'. Check PGDATABASE",
    ("PGPORT", "1"): "it cannot be reached or went away. Check PGHOST and PGPORT",
    (
        "PGSSLMODE",
        "verify-full",
    ): "no verified TLS connection: it speaks none, or its certificate is not one for this host. Check",
    ("MYSQL_PASSWORD", "wrong"): "is refused. Check MYSQL_USER and MYSQL_PASSWORD",
    ("MYSQL_DATABASE", "nowhere"): "or there is none. Check MYSQL_DATABASE, else grant it SELECT",
    ("MYSQL_PORT", "1"): "it cannot be reached. Check MYSQL_HOST and MYSQL_PORT, and that the server is up",
    ("MYSQL_SSL_MODE", "verify"): "it offers no TLS, and MYSQL_SSL_MODE asks for it. No password was sent",
}


@pytest.mark.parametrize(("name", "value"), LOGINS)
def test_a_login_that_is_wrong(lane: Lane, role: dict[str, str], name: str, value: str) -> None:
    said = refusal(lane, role | {name: value})
    where = "MySQL" if name.startswith("MYSQL") else "Postgres"
    assert said.startswith(f"error: {where} at 127.0.0.1:") and LOGINS[name, value] in said, said


def test_a_raw_schema_of_somebody_else(lane: Lane, role: dict[str, str]) -> None:
    other = postgres.connect(home.read_state()[postgres.NAME], ROLE)
    with other, other.cursor() as cursor:
        cursor.execute(f"create schema {lane.raw}")
    other.close()
    assert f"own what is in {lane.raw}: ALTER SCHEMA {lane.raw} OWNER TO refused" in refusal(lane, role)


def test_a_database_of_another_encoding(lane: Lane, role: dict[str, str], administrator: Any) -> None:
    administrator.execute("drop database refused")
    administrator.execute("create database refused owner refused encoding 'LATIN1' locale 'C' template template0")
    said = refusal(lane, role)
    assert "database refused is not encoded in UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0" in said


def test_no_right_to_temporary_tables(lane: Lane, role: dict[str, str], administrator: Any) -> None:
    land(from_environment(role))
    lane.execute("update items set v = 'b'")
    administrator.execute("revoke temporary on database refused from public, refused")
    assert "GRANT TEMPORARY ON DATABASE refused TO refused" in refusal(lane, role)


def test_a_function_that_goes_before_the_servers_own_is_not_called(
    lane: Lane, role: dict[str, str], administrator: Any
) -> None:
    login = {
        "user": ROLE,
        "password": role["PGPASSWORD"],
        "dbname": ROLE,
        "host": role["PGHOST"],
        "port": role["PGPORT"],
    }
    theirs = psycopg2.connect(" ".join(f"{name}={value}" for name, value in login.items()))
    with theirs, theirs.cursor() as cursor:
        cursor.execute("create schema theirs; create function theirs.md5(text) returns text language sql return 'x'")
        cursor.execute("create function theirs.crc32(bytea) returns bigint language sql return 1")
    theirs.close()
    administrator.execute("alter role refused set search_path = theirs, pg_catalog")
    report = land(from_environment(role, checksum="md5"))
    assert report.status == "ok", report


SOURCE = {
    # what is done to the account: what is said
    "alter user {account} account lock": "is locked. Unlock it there",
    "alter user {account} password expire": "has expired. Set a new one there",
    "grant usage on *.* to {account} require ssl": "if the account asks for TLS, set MYSQL_SSL_MODE=verify",
    "revoke select on {database}.* from {account}": "or there is none. Check MYSQL_DATABASE, else grant it SELECT",
    "grant usage on *.* to {account} with max_connections_per_hour 1": "has no connection left for user",
    "grant usage on *.* to {account} with max_user_connections 1": "MAX_USER_CONNECTIONS",
    "set password for {account} = '{old}'": "by a way that the driver does not know",
}


@pytest.mark.parametrize("statement", SOURCE)
def test_a_refusal_of_the_source(lane: Lane, password: str, statement: str) -> None:
    version = lane.servers.mysql_version
    if version.startswith("5.6") and "account lock" in statement:
        pytest.skip("MySQL 5.6 locks no account")
    if "{old}" in statement and not version.startswith("5.6"):
        pytest.skip("only MySQL 5.6 still takes a password hash from before 4.1")
    connection = lane.servers.mysql()
    with connection.cursor() as cursor:
        make_user(cursor, ROLE, "%", password)
        cursor.execute(f"grant select on {lane.database}.* to '{ROLE}'@'%'")
        old = ""
        if "{old}" in statement:
            cursor.execute("set global secure_auth = 0")
            cursor.execute("set old_passwords = 1")
            cursor.execute("select old_password(%s)", (password,))
            old = cursor.fetchall()[0][0]
            cursor.execute("update mysql.user set plugin = 'mysql_old_password' where user = %s", (ROLE,))
            cursor.execute("flush privileges")
        cursor.execute(statement.format(account=f"'{ROLE}'@'%'", database=lane.database, old=old))
    environment = {"MYSQL_USER": ROLE, "MYSQL_PASSWORD": password}
    port = int(lane.environment["MYSQL_PORT"])
    one = pymysql.connect(host="127.0.0.1", port=port, user=ROLE, password=password) if "max_" in statement else None
    said = refusal(lane, environment)
    with connection.cursor() as cursor:
        cursor.execute(f"drop user '{ROLE}'@'%'")
    connection.close()
    if one:
        one.close()
    assert said.startswith("error: MySQL at 127.0.0.1:") and SOURCE[statement] in said, said


TABLES = {
    # statements: what is said of the table
    ("create definer = 'gone'@'%' view seen as select id from items",): (
        "error: seen: it could not be read: the account that the view reads as (DEFINER) is not there or may not read:"
        " make it, or the view one of SQL SECURITY INVOKER"
    ),
    ("create table old (id int)", "create view seen as select id from old", "drop table old"): (
        "error: seen: it has no column to land: what the view reads is gone, or MYSQL_USER may not run a function"
    ),
    ("create view seen as select id, sleep(3) from items",): (
        "error: seen: it could not be read: it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS."
    ),
}


@pytest.mark.parametrize("statements", TABLES, ids=range(len(TABLES)))
def test_a_refusal_of_one_table(lane: Lane, statements: tuple[str, ...]) -> None:
    if "sleep" in statements[0] and lane.servers.mysql_version.startswith("5.6"):
        pytest.skip("MySQL 5.6 limits no statement")
    lane.execute("create table items (id int primary key)", "insert into items values (1)", *statements)
    said = refusal(lane, {"INGEST_VIEWS": "true", "INGEST_STATEMENT_TIMEOUT_SECONDS": "1"})
    assert said.startswith(TABLES[statements]), said
