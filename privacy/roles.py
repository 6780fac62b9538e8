"""The warehouse's roles: created, granted and owned as ``roles.sql`` says, as often as it is run.

ingest            makes ``raw_<database>`` and its staging schema, and writes nothing else
transform         reads raw; makes and writes all that dbt does, from staging to the masked marts, quality and scores
analyst           reads the masked marts
pii_reader        reads the marts as they are
service_embedded  reads one customer's rows of some marts

What is granted on single marts is dbt's: ``+grants`` in ``dbt_project.yml`` and ``macros/access.sql``.
"""

import io
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from landing.environment import secret
from landing.settings import SettingsError

ROLES = ("ingest", "transform", "analyst", "pii_reader", "service_embedded")

_SQL = Path(__file__).with_name("roles.sql")


class RolesRefused(Exception):
    """Why the roles could not be made. Nothing was changed."""


def apply(connection: Any, passwords: Mapping[str, str], masking_key: str = "") -> list[str]:
    """Make the roles as ``roles.sql`` says, in one transaction; returns notes for a person to read.

    ``passwords``: those of the roles that may log in with one; a role without keeps what it has. Neither they nor the
    key are in any statement: a password arrives as its SCRAM verifier, the key as data. Without a key, the one that is
    there stays, or a random one is made.

    The connection is a superuser's, or that of the database's owner with CREATEROLE.

    Raises:
        RolesRefused: a role of such a name has rights beyond those of any of these.
        psycopg2.Error: the connection's user may not do this.
    """
    notes = []
    with connection, connection.cursor() as cursor:
        cursor.execute("select rolname, rolsuper or rolcreaterole or rolbypassrls or rolcreatedb from pg_roles")
        there: dict[str, bool] = dict(cursor.fetchall())
        for role in ROLES:
            if there.get(role):
                raise RolesRefused(f"role {role} exists and may do more than any role of this project. Rename it.")
            if role not in there:
                cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
                notes.append(f"made role {role}")
            if passwords.get(role):
                verifier = encrypt_password(passwords[role], role, connection, "scram-sha-256")
                cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(role)), (verifier,))
        cursor.execute("select current_user, rolsuper from pg_roles where rolname = current_user")
        user, is_superuser = cursor.fetchone()
        if not is_superuser:  # to give them what it owns
            cursor.execute(sql.SQL("grant ingest, transform to {}").format(sql.Identifier(user)))
        cursor.execute(_SQL.read_text(encoding="utf-8"))
        cursor.execute("select count(*) from access_control.masking_key")
        if masking_key or cursor.fetchone() == (0,):
            cursor.execute("delete from access_control.masking_key")
            cursor.copy_expert(
                "copy access_control.masking_key from stdin", io.StringIO(masking_key or secrets.token_hex(32))
            )
    return notes


def command() -> int:
    """``python -m privacy roles``: as the environment says; returns the exit code."""
    try:
        if not os.environ.get("PGHOST"):
            raise SettingsError("PGHOST is not set. See .env.example, or run `make roles`.")
        passwords = {role: secret(os.environ, f"ROLE_{role.upper()}_PASSWORD") for role in ROLES}
        key = secret(os.environ, "MASKING_KEY")
        if any(character in key for character in "\t\n\r\\"):
            raise SettingsError("MASKING_KEY must be one line without tabs and backslashes.")
        administrator = secret(os.environ, "PGPASSWORD")
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        connection = psycopg2.connect("", password=administrator or None)
    except psycopg2.Error:
        print("error: the warehouse does not answer, or refuses the login; check PGHOST and its like.", file=sys.stderr)
        return 1
    try:
        notes = apply(connection, passwords, key)
    except RolesRefused as error:
        print(f"error: {error} Nothing was changed.", file=sys.stderr)
        return 1
    except psycopg2.Error as error:
        print(
            f"error: {error.diag.message_primary or type(error).__name__} (SQLSTATE {error.pgcode}). Nothing was"
            " changed: PGUSER must be a superuser, or own the database and have CREATEROLE.",
            file=sys.stderr,
        )
        return 1
    finally:
        connection.close()
    for role in ROLES:
        given = "password set" if passwords[role] else "password as it was (none, if it never got one)"
        print(f"{role:<18}{'made, ' if f'made role {role}' in notes else ''}{given}")
    return 0
