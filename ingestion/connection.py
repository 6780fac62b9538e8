"""One connection to the warehouse, which holds the lock of a raw schema; and what its errors say."""

import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2

from ingestion.names import quote
from ingestion.settings import Settings

CONNECTION: dict[str, Any] = {
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}
"""libpq parameters: what is sent is UTF-8, whatever ``PGCLIENTENCODING`` says; a server that is gone is noticed after a
minute and a half, also while nothing is sent."""
_SESSION = (  # what the environment (PGTZ, ...), a database's or a role's own settings would otherwise change
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 1; set bytea_output = 'hex';"
    " set standard_conforming_strings = on; set quote_all_identifiers = off"
)


class WarehouseUnavailable(Exception):
    """The warehouse cannot be reached, refuses the login, or went away. What was published stays as it is."""


class AnotherLanding(Exception):
    """Another landing into the same schema is running."""


class Session:
    """Used by one landing; holds the lock of the raw schema until it is closed."""

    def __init__(self, settings: Settings):
        """Connect and take the lock.

        Raises:
            WarehouseUnavailable: says which server and user, and why.
            AnotherLanding: one is running and did not end within ``lock_wait`` seconds.
        """
        self._settings = settings
        self.raw, self.staging = quote(settings.raw_schema), quote(settings.staging_schema)
        self.erasure = quote(settings.erasure_schema)
        self._connection = connect(settings)
        self._cursor = self._connection.cursor()
        self._set_up_session()
        self._take_lock()

    def _set_up_session(self) -> None:
        if self._value("show server_encoding") != "UTF8":
            database = self._settings.warehouse["dbname"]
            raise WarehouseUnavailable(f"{where(self._settings)}: database {database} is not encoded in UTF8.")
        self.version = self._connection.server_version
        if self.version >= 140000:  # a landing that was killed must not hold the lock until its statement ends
            self._execute("set client_connection_check_interval = '1s'")
            self._execute("set idle_session_timeout = 0")  # it waits while the rows are read
        self._execute("set work_mem = '128MB'")
        self._execute("set parallel_tuple_cost = 0")  # of the pairs compared, few are handed on
        self._execute("set lock_timeout = %s", (f"{max(1, self._settings.lock_wait)}s",))

    def close(self) -> None:
        self._connection.close()

    @property
    def socket(self) -> int:
        return int(self._connection.fileno())

    def check(self) -> None:
        """Whether what waits while rows are read is still there; PostgreSQL is told never to end it."""

    def begin(self) -> None:
        self._execute("begin isolation level read committed")

    def rollback(self) -> None:
        self._execute("rollback")

    def commit(self) -> None:
        try:
            self._execute("commit")
        except WarehouseUnavailable as error:
            if self._connection.closed:  # the answer was lost, not necessarily the commit
                raise WarehouseUnavailable(
                    f"{where(self._settings)}: the connection was lost while the landing was committed: it is published"
                    " as a whole or not at all. Run again."
                ) from None
            raise error

    def _take_lock(self) -> None:
        number = int.from_bytes(hashlib.sha256(self._settings.raw_schema.encode()).digest()[:8], "big", signed=True)
        until = time.monotonic() + self._settings.lock_wait
        while not self._value("select pg_try_advisory_lock(%s)", (number,)):
            if time.monotonic() > until:
                raise AnotherLanding(
                    f"Another landing into {self._settings.raw_schema} is running. Nothing was done; run again when"
                    " it ended."
                )
            time.sleep(0.2)

    def _execute(self, sql: str, values: Iterable[Any] | None = None) -> int:
        try:
            self._cursor.execute(sql, tuple(values) if values is not None else None)
        except psycopg2.Error as error:
            if self._is_of_the_server(error):
                raise WarehouseUnavailable(explain(error, self._settings)) from None
            raise
        return int(self._cursor.rowcount)

    def _is_of_the_server(self, error: psycopg2.Error) -> bool:
        return is_of_the_server(error)

    def _rows(self, sql: str, values: Iterable[Any] | None = None) -> list[tuple[Any, ...]]:
        self._execute(sql, values)
        return list(self._cursor.fetchall())

    def _value(self, sql: str, values: Sequence[Any] | None = None) -> Any:
        return self._rows(sql, values)[0][0]


def where(settings: Settings) -> str:
    """The server's kind and address."""
    kind = "Redshift" if settings.staging else "Postgres"
    return f"{kind} at {settings.warehouse['host']}:{settings.warehouse['port']}"


def connect(settings: Settings) -> Any:
    """A connection that commits at once.

    Raises:
        WarehouseUnavailable: says which server and user, and why.
    """
    try:
        connection = psycopg2.connect(**(settings.warehouse | CONNECTION), application_name="landing")
        connection.autocommit = True
        if not settings.staging:
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
    except psycopg2.Error as error:
        raise WarehouseUnavailable(explain(error, settings)) from None
    return connection


def literal(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def is_of_the_server(error: psycopg2.Error) -> bool:
    """Whether the server, its disk, a lock or an administrator stopped a statement, rather than what is in it."""
    if "memory alloc" in str(error):  # a value of more than a gigabyte
        return False
    return not error.pgcode or error.pgcode[:2] in ("08", "25", "40", "53", "55", "57", "58", "XX")


def explain_disk(error: OSError, settings: Settings) -> str:
    return (
        f"Work folder {settings.work_folder}: {error.strerror or type(error).__name__}. Nothing was published;"
        " make room there, or name another in INGEST_WORK_FOLDER, and run again."
    )


def explain(error: psycopg2.Error, settings: Settings) -> str:
    """libpq's error in words without any value of a row, and what to do about it."""
    message = str(error)
    user, database, pg = settings.warehouse["user"], settings.warehouse["dbname"], settings.variables
    if "password authentication failed" in message or "no password supplied" in message:
        reason = (
            f"the login of user '{user}' is refused. Check {pg}USER and {pg}PASSWORD (or INGEST_USER, INGEST_PASSWORD)."
        )
    elif not error.pgcode and "does not exist" in message:
        reason = f"there is no database '{database}' or user '{user}'. Check {pg}DATABASE and {pg}USER."
    elif not error.pgcode and re.search("certificate|sslmode|support SSL", message):
        reason = (
            f"no verified TLS connection. Check {pg}SSLMODE, {pg}SSLROOTCERT and the host name. No password was sent."
        )
    elif error.pgcode == "53100" or "File too large" in message or "No space left" in message:
        reason = "its disk is full. Nothing was published; free space and run again."
    elif error.pgcode == "55P03":
        reason = (
            f"another session holds a lock on a table of {settings.raw_schema} and did not let go within"
            f" {settings.lock_wait} s (INGEST_LOCK_WAIT_SECONDS). Nothing was published; run again when it ended."
        )
    elif error.pgcode == "42501":
        reason = (
            f"user '{user}' lacks a right there: it must be able to create schemas in {database} and own what is in"
            f" {settings.raw_schema}. Nothing was published."
        )
    elif error.pgcode and error.pgcode[:3] != "57P":
        reason = f"it stopped a statement (SQLSTATE {error.pgcode}). Nothing was published; run again."
    else:
        reason = (
            f"it cannot be reached or went away. Check {pg}HOST and {pg}PORT, and that the server is up. Nothing was"
            " published; run again."
        )
    return f"{where(settings)}: {reason}"
