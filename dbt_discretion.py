"""Keep values of rows out of dbt's output, logs and artifacts when a statement fails.

dbt loads every module on Python's path with a name like ``dbt_...`` as a plugin. ``make setup`` puts this folder on the
path of .venv, so dbt started by hand has it too. The kind of error, its place and the SQLSTATE stay. The database
itself tells the rest to its users.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from dbt.plugins.manager import dbtPlugin


def without_values(message: str, code: str) -> str:
    """The message's first part; of an error about data (SQLSTATE 22, 23, and ``raise``) without quoted values."""
    kept = re.split(r"\n(?:DETAIL|CONTEXT|HINT|LINE \d+|QUERY|WHERE):", message.strip())[0]
    if code[:2] in ("22", "23", "P0"):
        kept = re.sub(r'".*"', '"..."', kept, flags=re.DOTALL) if code[:2] != "23" else kept
        kept = kept.splitlines()[0]
    elif place := re.search(r"\nLINE \d+:.*", message):  # of the statement: it holds no row
        kept += place[0]
    return f"{kept}\nSQLSTATE {code}" if code else kept


def discreet(manager: Any, kind: type[Exception], retold: Callable[[Any], Exception]) -> Any:
    """The adapter's connection manager, made to raise ``retold(error)`` for an ``error`` of this kind."""

    class Discreet(manager):  # type: ignore[misc]
        @contextlib.contextmanager
        def exception_handler(self, sql: str) -> Iterator[None]:
            with super().exception_handler(sql):
                try:
                    yield
                except kind as error:
                    raise retold(error) from None

    return Discreet


def discreet_postgres(manager: Any) -> Any:
    import psycopg2

    def retold(error: psycopg2.DatabaseError) -> Exception:
        return type(error)(without_values(str(error), error.pgcode or ""))

    return discreet(manager, psycopg2.DatabaseError, retold)


def discreet_redshift(manager: Any) -> Any:
    from redshift_connector.error import Error

    def retold(error: Exception) -> Exception:
        told = error.args[0] if error.args else ""
        if not isinstance(told, dict):
            return error
        message = without_values(str(told.get("M", "")), str(told.get("C", "")))
        return type(error)({"S": told.get("S"), "C": told.get("C"), "M": message})

    return discreet(manager, Error, retold)


class Discretion(dbtPlugin):
    def initialize(self) -> None:
        """Put the discreet connections in the place of those of the adapters in use."""
        for module, adapter, made_discreet in (
            ("dbt.adapters.postgres", "PostgresAdapter", discreet_postgres),
            ("dbt.adapters.redshift", "RedshiftAdapter", discreet_redshift),
        ):
            if module in sys.modules:
                found = getattr(sys.modules[module], adapter)
                if found.ConnectionManager.__name__ != "Discreet":
                    found.ConnectionManager = made_discreet(found.ConnectionManager)


plugins = [Discretion]
