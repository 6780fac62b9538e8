"""One connection to the warehouse, and its errors in words."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg2

from landing.columns import TablePlan
from landing.names import quote
from landing.settings import Settings
from landing.steps import reached

CONNECTION: dict[str, Any] = {
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}
"""libpq parameters. Text is sent in UTF-8, whatever ``PGCLIENTENCODING`` says. A lost server is noticed after a minute
and a half, also while nothing is sent."""
_SESSION = (  # settings that the environment (PGTZ, ...), a database or a role could otherwise change
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set extra_float_digits = 1; set bytea_output = 'hex';"
    " set standard_conforming_strings = on; set quote_all_identifiers = off;"
    " set search_path = pg_catalog"  # no function or table of somebody else's goes before the server's own
)


_REFUSALS = {
    "too many connections for role": "user '{user}' has no connection left, and a landing takes several:"
    " ALTER ROLE {user} CONNECTION LIMIT -1 lifts it",
    "too many connections for database": "database '{database}' has no connection left, and a landing takes several:"
    " ALTER DATABASE {database} CONNECTION LIMIT -1 lifts it",
    "too many clients": "it has no connection left: raise max_connections, or run again when others have ended",
    "connection slots": "it has no connection left: raise max_connections, or run again when others have ended",
    "not permitted to log in": "user '{user}' may not log in: ALTER ROLE {user} LOGIN, or name another in {pg}USER (or"
    " INGEST_USER)",
    "not currently accepting connections": "database '{database}' takes none: ALTER DATABASE {database}"
    " ALLOW_CONNECTIONS true, or name another in {pg}DATABASE",
    "permission denied for database": "user '{user}' lacks a right on database '{database}': GRANT CONNECT, CREATE,"
    " TEMPORARY ON DATABASE {database} TO {user}",
    "no pg_hba.conf entry": "it takes no login of user '{user}' to database '{database}' from this machine, or only by"
    " TLS: add a line to its pg_hba.conf, or check {pg}SSLMODE",
    "starting up": "it is starting: run again in a moment",
    "shutting down": "it is shutting down: run again when it is up",
    "You might need to increase": "a transaction needs more locks than it has: raise max_locks_per_transaction",
    "statement timeout": "a statement took longer than statement_timeout: ALTER ROLE {user} SET statement_timeout = 0,"
    " or a larger one",
}
"""By a part of PostgreSQL's message, which has no code of its own while somebody logs in."""


class WarehouseUnavailable(Exception):
    """The warehouse cannot be reached, refuses the login, or went away. Published rows stay as they are."""


class AnotherLanding(Exception):
    """Another landing into the same schema is running."""


class Session:
    """One connection that commits at once, and the names of the schemas of a landing."""

    def __init__(self, settings: Settings, is_of_the_server: Callable[[psycopg2.Error], bool]):
        """Raises ``WarehouseUnavailable``: names the server and the user, and the reason."""
        self.settings = settings
        self.raw, self.arrivals = quote(settings.raw_schema), quote(settings.arrival_schema)
        self.erasure = quote(settings.erasure_schema)
        self._is_of_the_server = is_of_the_server
        self.connection = connect(settings)
        self.cursor = self.connection.cursor()

    def execute(self, sql: str, values: Iterable[Any] | None = None) -> int:
        """Run a statement and return the number of rows it touched.

        Raises:
            WarehouseUnavailable: the server, its disk, a lock or an administrator stopped the statement.
            psycopg2.Error: something is wrong with the statement itself.
        """
        try:
            self.cursor.execute(sql, tuple(values) if values is not None else None)
        except psycopg2.Error as error:
            if self._is_of_the_server(error):
                raise WarehouseUnavailable(explain(error, self.settings)) from None
            raise
        reached("statement done", sql)
        return int(self.cursor.rowcount)

    def rows(self, sql: str, values: Iterable[Any] | None = None) -> list[tuple[Any, ...]]:
        self.execute(sql, values)
        return list(self.cursor.fetchall())

    def value(self, sql: str, values: Sequence[Any] | None = None) -> Any:
        return self.rows(sql, values)[0][0]

    def raw_table(self, table: TablePlan) -> str:
        return f"{self.raw}.{quote(table.name)}"

    def arrival_table(self, table: TablePlan) -> str:
        return f"{self.arrivals}.{quote(table.arrival_name)}"

    def rollback(self) -> None:
        self.execute("rollback")

    def commit(self) -> None:
        try:
            self.execute("commit")
        except WarehouseUnavailable as error:
            if self.connection.closed:  # the answer was lost, not necessarily the commit
                raise WarehouseUnavailable(
                    f"{where(self.settings)}: the connection was lost while the landing was committed: it is published"
                    " as a whole or not at all. Run again."
                ) from None
            raise error

    def close(self) -> None:
        reached("closing")
        self.connection.close()


def where(settings: Settings) -> str:
    """The server's kind and address."""
    kind = settings.warehouse.capitalize()
    return f"{kind} at {settings.login['host']}:{settings.login['port']}"


def connect(settings: Settings) -> Any:
    """A connection that commits at once.

    Raises:
        WarehouseUnavailable: names the server and the user, and the reason.
    """
    try:
        connection = psycopg2.connect(**(settings.login | CONNECTION), application_name="landing")
        connection.autocommit = True
        if settings.warehouse == "postgres":
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
    except psycopg2.Error as error:
        raise WarehouseUnavailable(explain(error, settings)) from None
    return connection


def literal(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def is_of_the_server(error: psycopg2.Error) -> bool:
    """Whether the server, its disk, a lock or an administrator stopped a statement. Else its content was refused."""
    if "memory alloc" in str(error):  # a value of more than a gigabyte
        return False
    return not error.pgcode or error.pgcode[:2] in ("08", "25", "40", "53", "55", "57", "58", "XX")


def explain_disk(error: OSError, settings: Settings) -> str:
    return (
        f"Work folder {settings.work_folder}: {error.strerror or type(error).__name__}. Nothing was published;"
        " make room there, or name another in INGEST_WORK_FOLDER, and run again."
    )


def explain(error: psycopg2.Error, settings: Settings) -> str:
    """libpq's error in words, without any value of a row, and its remedy."""
    message = str(error)
    user, database, pg = settings.login["user"], settings.login["dbname"], settings.variables
    if "password authentication failed" in message or "no password supplied" in message:
        reason = (
            f"the login of user '{user}' is refused. Check {pg}USER and {pg}PASSWORD (or INGEST_USER, INGEST_PASSWORD),"
            " and that the password has not expired (VALID UNTIL)."
        )
    elif not error.pgcode and "does not exist" in message:
        reason = f"there is no database '{database}' or user '{user}'. Check {pg}DATABASE and {pg}USER."
    elif not error.pgcode and re.search("certificate|sslmode|support SSL", message):
        reason = (
            "no verified TLS connection: it speaks none, or its certificate is not one for this host."
            f" Check {pg}SSLMODE, {pg}SSLROOTCERT and the host name. No password was sent."
        )
    elif refusal := next((words for part, words in _REFUSALS.items() if part in message), ""):
        reason = f"{refusal.format(user=user, database=database, pg=pg)}. Nothing was published."
    elif error.pgcode == "53100" or "File too large" in message or "No space left" in message:
        reason = "its disk is full. Nothing was published; free space and run again."
    elif error.pgcode == "55P03":
        reason = (
            f"another session holds a lock on a table of {settings.raw_schema} and did not let go within"
            f" {settings.lock_wait} s (INGEST_LOCK_WAIT_SECONDS). Nothing was published; run again when it ended."
        )
    elif error.pgcode == "25006":
        reason = (
            f"user '{user}' can only read there. If it is a standby, name the primary in {pg}HOST; else ALTER ROLE"
            f" {user} SET default_transaction_read_only = off. Nothing was published."
        )
    elif error.pgcode == "42501":
        reason = (
            f"user '{user}' lacks a right there: it must be able to create schemas in {database} and own what is in"
            f" {settings.raw_schema}: ALTER SCHEMA {settings.raw_schema} OWNER TO {user}, and its tables. Nothing was"
            " published."
        )
    elif error.pgcode and error.pgcode[:3] != "57P":
        reason = f"it stopped a statement (SQLSTATE {error.pgcode}). Nothing was published; run again."
    else:
        reason = (
            f"it cannot be reached or went away. Check {pg}HOST and {pg}PORT, and that the server is up. Nothing was"
            " published; run again."
        )
    return f"{where(settings)}: {reason}"
