"""``make roles``: idempotent, refused by name, and silent about passwords and the key; the landing under its own role."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from privacy.roles import ROLES, RolesRefused, apply
from sandbox import home, postgres
from tests.conftest import PROJECT, Lane
from tests.security.conftest import Roles

PASSWORD, KEY = "canary-password-7b1f", "canary-key-5e0c"


@pytest.fixture
def server_log(roles: Roles) -> Iterator[Callable[[], str]]:
    """What the server has logged, while it writes down every statement; the roles are as before afterwards."""
    state = home.read_state()[postgres.NAME]
    administrator = postgres.connect(state)
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute("select key from access_control.masking_key")
        ((key,),) = cursor.fetchall()
        cursor.execute("alter system set log_statement = 'all'")
        cursor.execute("alter system set log_min_error_statement = 'error'")
        cursor.execute("select pg_reload_conf()")
        time.sleep(0.5)
        log = home.servers_home() / postgres.NAME / "server.log"
        begin = log.stat().st_size
        yield lambda: log.read_bytes()[begin:].decode("utf-8", "replace")
        cursor.execute("alter system reset all")
        cursor.execute("select pg_reload_conf()")
    administrator.close()
    administrator = postgres.connect(state)
    apply(administrator, state["roles"], key)
    administrator.close()


def run(roles: Roles, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "privacy", "roles"],
        cwd=PROJECT,
        env=os.environ | roles.star.servers.environment | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_roles_are_made_again_and_nothing_secret_is_logged(
    roles: Roles, server_log: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    before = roles.query("analyst", "select location_key from dim_locations order by 1")
    given = {
        "PGUSER": "postgres",
        "PGPASSWORD": home.read_state()[postgres.NAME]["admin_password"],
        "ROLE_ANALYST_PASSWORD_FILE": str(tmp_path / "password"),
        "ROLE_PII_READER_PASSWORD": PASSWORD,
        "MASKING_KEY_FILE": str(tmp_path / "key"),
    }
    for _ in range(2):
        result = run(roles, **given)
        assert result.returncode == 0, result.stderr
        assert [line.split()[0] for line in result.stdout.splitlines()] == list(ROLES)
    written = server_log()
    assert "alter role" in written and "copy access_control.masking_key" in written
    for text in (written, result.stdout, result.stderr):
        assert PASSWORD not in text and KEY not in text
    with pytest.raises(psycopg2.OperationalError):
        roles.connect("analyst")
    where = roles.star.servers.environment
    connection = psycopg2.connect(
        host=where["PGHOST"], port=where["PGPORT"], dbname=where["PGDATABASE"], user="analyst", password=PASSWORD
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("select location_key from dim_locations order by 1")
        assert cursor.fetchall() != before
    connection.close()


def test_who_may_not_make_roles_is_told_so(roles: Roles, tmp_path: Path) -> None:
    result = run(roles)
    assert result.returncode == 1 and "CREATEROLE" in result.stderr and "Traceback" not in result.stderr
    result = run(roles, MASKING_KEY_FILE=str(tmp_path / "missing"))
    assert result.returncode == 2 and "MASKING_KEY_FILE" in result.stderr
    result = run(roles, PGPASSWORD="canary-wrong")
    assert result.returncode == 1 and "canary" not in result.stderr


def test_a_role_that_may_more_is_not_taken_over(roles: Roles) -> None:
    administrator = postgres.connect(home.read_state()[postgres.NAME])
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute("alter role analyst createdb")
        administrator.autocommit = False
        with pytest.raises(RolesRefused, match="analyst"):
            apply(administrator, {})
        administrator.autocommit = True
        cursor.execute("alter role analyst nocreatedb")
    administrator.close()


def test_any_source_lands_under_ingest_and_widens_under_the_views_of_transform(roles: Roles, lane: Lane) -> None:
    logins = roles.star.servers.logins
    lane.execute("create table items (id int primary key, v int)", "insert into items values (1, 10)")
    assert lane.land(logins).status == "ok"
    assert roles.query("transform", f"select v from {lane.raw}.items") == [(10,)]
    roles.query("transform", f"create view staging.of_{lane.database} as select * from {lane.raw}.items")
    lane.execute("alter table items modify v bigint", "insert into items values (2, 3000000000)")
    report = lane.land(logins)
    (table,) = report.tables
    assert table.status == "landed" and f"staging.of_{lane.database}" in " ".join(table.notes)
    assert roles.query("transform", f"select sum(v) from {lane.raw}.items") == [(3000000010,)]
    lane.execute("delete from items where id = 1")
    assert lane.land(logins).status == "ok"
    owner = f"select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = '{lane.raw}'::regnamespace"
    assert lane.warehouse(owner) == [("ingest",)]


def test_what_another_user_built_goes_to_the_roles(roles: Roles) -> None:
    """Every schema that dbt writes, as where one user did everything before there were roles."""
    given = {"PGUSER": "postgres", "PGPASSWORD": home.read_state()[postgres.NAME]["admin_password"]}
    of_transform = "select nspname from pg_namespace where nspowner = 'transform'::regrole order by 1"
    schemas = roles.star.query(of_transform)
    assert ("quality",) in schemas and ("marts",) in schemas
    connection = postgres.connect(home.read_state()[postgres.NAME])
    with connection, connection.cursor() as cursor:
        for (schema,) in schemas:
            cursor.execute(f"alter schema {schema} owner to elt")
    connection.close()
    result = run(roles, **given)
    assert result.returncode == 0, result.stderr
    assert roles.star.query(of_transform) == schemas
