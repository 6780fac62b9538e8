"""The data of the private source: a dump, or the generator's tables; loaded once, replaced only as a whole."""

import codecs
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql

from sandbox import home, mysql
from sandbox.generate import generate

_INCOMING = "sandbox_incoming"
# A dump names its own database; ours goes where MYSQL_DATABASE says.
_DATABASE_STATEMENT = re.compile(
    rb"^(create\s+database\s[^;\n]*|use\s+`?[\w$-]+`?\s*|drop\s+database\s[^;\n]*);", re.IGNORECASE | re.MULTILINE
)


def ensure(dump: Path | None, scale: float, seed: int, when_replaced: Callable[[], None]) -> bool:
    """Make the source hold this dump, or generated data of this scale and seed; True if it had to be replaced.

    Data that is already there stays as it is, trading days included. ``when_replaced`` runs before the new
    data counts as loaded: if it fails, the next call replaces the data again.

    Raises:
        SandboxError: the dump cannot be read or is refused by MySQL. What was there before is untouched.
    """
    if dump:
        try:
            content = dump.read_bytes()
        except OSError as error:
            raise home.SandboxError(f"DUMP={dump}: {error.strerror}. Name an SQL dump of the source.") from None
        wanted: dict[str, Any] = {"dump": hashlib.sha256(content).hexdigest()}
        return _replace(wanted, lambda connection: _load_dump(connection, dump, content), when_replaced)
    return _replace({"scale": scale, "seed": seed}, lambda connection: generate(connection, scale, seed), when_replaced)


def _replace(wanted: dict[str, Any], fill: Callable[[Any], None], when_replaced: Callable[[], None]) -> bool:
    state = home.read_state()
    if state.get("source") == wanted:
        return False
    with mysql.connect(state[mysql.NAME]) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop database if exists {_INCOMING}")
        cursor.execute(f"create database {_INCOMING}")
        connection.select_db(_INCOMING)
        fill(connection)
        connection.commit()
        tables = _tables(cursor, _INCOMING)
        home.update_state(source=None)
        cursor.execute("set foreign_key_checks = 0")
        cursor.execute(f"drop database if exists {mysql.DATABASE}")
        cursor.execute(f"create database {mysql.DATABASE}")
        renames = ", ".join(f"{_INCOMING}.`{name}` to {mysql.DATABASE}.`{name}`" for name in tables)
        cursor.execute(f"rename table {renames}")
        cursor.execute(f"drop database {_INCOMING}")
    when_replaced()
    home.update_state(source=wanted)
    return True


def _load_dump(connection: Any, dump: Path, content: bytes) -> None:
    """Send the whole dump as it is, byte for byte; the server splits it into statements."""
    statements = _DATABASE_STATEMENT.sub(b"", content.removeprefix(codecs.BOM_UTF8))
    connection.client_flag |= pymysql.constants.CLIENT.MULTI_STATEMENTS
    connection.connect()
    connection.select_db(_INCOMING)
    remedy = "The source and the warehouse keep what they had. Name a dump made by mysqldump or mariadb-dump."
    try:
        with connection.cursor() as cursor:
            cursor.execute(statements)
            while cursor.nextset():
                pass
            tables, views = _tables(cursor, _INCOMING), _tables(cursor, _INCOMING, "VIEW")
    except pymysql.Error as error:
        if re.search(rb"^delimiter\s", content, re.IGNORECASE | re.MULTILINE):
            remedy += (
                " This one has triggers or routines (DELIMITER): leave them out (--skip-triggers --skip-routines)."
            )
        raise home.SandboxError(f"DUMP={dump}: MySQL refuses it (error {error.args[0]}). {remedy}") from None
    if views:
        raise home.SandboxError(
            f"DUMP={dump} has views, which cannot be taken along: leave them out (--ignore-table=database.view):"
            f" {', '.join(views)}. {remedy}"
        )
    if not tables:
        raise home.SandboxError(f"DUMP={dump} holds no table. {remedy}")


def _tables(cursor: Any, database: str, kind: str = "BASE TABLE") -> list[str]:
    named = "select table_name from information_schema.tables where table_schema = %s and table_type = %s order by 1"
    cursor.execute(named, (database, kind))
    return [name for (name,) in cursor.fetchall()]
