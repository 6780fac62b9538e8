"""Make the warehouse's roles: ``python -m access``, which is ``make roles``.

Connects as PGUSER, a superuser or the owner of PGDATABASE with CREATEROLE. Passwords of the roles that log in with one
come from ROLE_INGEST_PASSWORD, ROLE_TRANSFORM_PASSWORD, ROLE_ANALYST_PASSWORD, ROLE_PII_READER_PASSWORD and
ROLE_SERVICE_EMBEDDED_PASSWORD, the key of masked hashes from MASKING_KEY; or from files that <name>_FILE names.
Exit code: 0 done; 1 refused, nothing was changed; 2 wrong settings.
"""

import os
import sys

import psycopg2

from access.roles import ROLES, RolesRefused, apply
from landing.environment import secret
from landing.settings import SettingsError


def main() -> int:
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


if __name__ == "__main__":
    sys.exit(main())
