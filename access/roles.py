"""The warehouse's roles: created, granted and owned as this file says, as often as it is run.

ingest            makes ``raw_<database>`` and its staging schema, and writes nothing else
transform         reads raw; makes and writes staging, intermediate, snapshots, seeds, marts, the masked marts, quality
analyst           reads the masked marts
pii_reader        reads the marts as they are
service_embedded  reads one customer's rows of some marts

What is granted on single marts is dbt's: ``+grants`` in ``dbt_project.yml`` and ``macros/access.sql``.
"""

import io
import secrets
from collections.abc import Mapping
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

ROLES = ("ingest", "transform", "analyst", "pii_reader", "service_embedded")

_SEARCH_PATHS = {"analyst": "marts_masked", "pii_reader": "marts", "service_embedded": "marts"}

_DATABASE = """
revoke temporary on database {database} from public;
revoke create on schema public from public;
grant connect on database {database} to ingest, transform, analyst, pii_reader, service_embedded;
grant create on database {database} to ingest, transform;
grant temporary on database {database} to ingest, transform;

-- A landing makes its schemas and tables itself, whatever the database is called.
alter default privileges for role ingest grant usage on schemas to transform;
alter default privileges for role ingest grant select on tables to transform;

create schema if not exists access_control;
create table if not exists access_control.masking_key (key text not null);
comment on schema access_control is 'Made by make roles.';
comment on table access_control.masking_key is 'One row: the key of hashes in masked marts. Only transform reads it.';
revoke all on schema access_control from public;
revoke all on access_control.masking_key from public;
grant usage on schema access_control to transform;
grant select on access_control.masking_key to transform;
"""

_OWNERSHIP = """
do $$
declare
    found record;
begin
    for found in
        with wanted as (
            select oid, nspname, nspowner, 'ingest' as owner from pg_namespace
            where regexp_replace(nspname, '^landing_', 'raw_') in (
                select n.nspname from pg_class join pg_namespace n on n.oid = relnamespace
                where relname = '_landing_runs'
            )
            union all
            select oid, nspname, nspowner, 'transform' from pg_namespace
            where nspname in ('staging', 'intermediate', 'snapshots', 'seeds', 'marts', 'marts_masked', 'quality')
        )
        select 1 as step, owner, format('schema %I', nspname) as thing from wanted where nspowner <> owner::regrole
        union all
        select 2, owner, format('table %I.%I', nspname, relname) from wanted join pg_class on relnamespace = wanted.oid
        where relkind in ('r', 'p', 'v', 'm', 'f') and relowner <> owner::regrole
        union all
        select 3, owner, format('routine %s', pg_proc.oid::regprocedure)
        from wanted join pg_proc on pronamespace = wanted.oid
        where proowner <> owner::regrole
        order by step
    loop
        execute format('alter %s owner to %I', found.thing, found.owner);
    end loop;
    for found in
        select nspname from pg_namespace where nspowner = 'ingest'::regrole
    loop
        execute format('grant usage on schema %I to transform', found.nspname);
        execute format('grant select on all tables in schema %I to transform', found.nspname);
    end loop;
end
$$
"""


class RolesRefused(Exception):
    """Why the roles could not be made. Nothing was changed."""


def apply(connection: Any, passwords: Mapping[str, str], masking_key: str = "") -> list[str]:
    """Make the roles what this file says they are, in one transaction; returns what a person should know.

    ``passwords``: those of the roles that may log in with one; a role without keeps what it has. Neither they nor the
    key are in any statement: a password arrives as its SCRAM verifier, the key as data. Without a key, the one that is
    there stays, or a random one is made.

    The connection is a superuser's, or that of the database's owner with CREATEROLE.

    Raises:
        RolesRefused: a role of such a name has rights that none of these may have.
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
        cursor.execute("select current_user, current_database(), rolsuper from pg_roles where rolname = current_user")
        user, database, is_superuser = cursor.fetchone()
        if not is_superuser:  # to give them what it owns
            cursor.execute(sql.SQL("grant ingest, transform to {}").format(sql.Identifier(user)))
        cursor.execute(sql.SQL(_DATABASE).format(database=sql.Identifier(database)))
        for role, path in _SEARCH_PATHS.items():
            statement = sql.SQL("alter role {} in database {} set search_path = {}")
            cursor.execute(statement.format(*map(sql.Identifier, (role, database, path))))
        cursor.execute(_OWNERSHIP)
        cursor.execute("select count(*) from access_control.masking_key")
        if masking_key or cursor.fetchone() == (0,):
            cursor.execute("delete from access_control.masking_key")
            cursor.copy_expert(
                "copy access_control.masking_key from stdin", io.StringIO(masking_key or secrets.token_hex(32))
            )
    return notes
