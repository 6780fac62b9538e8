"""The real database, landed from a genuine MySQL and built: its marts are those of MariaDB, row for row."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import PROJECT, Servers
from tests.project.conftest import the_star

OWN = ("MYSQL_", "TEST_MYSQL_", "PG", "INGEST_", "DBT_")
TABLES = "select table_name from information_schema.tables where table_schema = 'marts' order by 1"


def build_from_mariadb(dump: Path, folder: Path) -> Any:
    """Land and build the dump from the sandbox's own MariaDB; returns a connection to what was built."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    environment |= {"SANDBOX_FOLDER": str(folder)}
    sandbox = [sys.executable, "-m", "sandbox"]
    build = ["dbt", "build", "--exclude-resource-type", "unit_test", "test", "--target-path", str(folder / "target")]
    for command in (["load", "--dump", str(dump)], ["exec", "--", "python", "-m", "ingestion"], ["exec", "--", *build]):
        run = subprocess.run([*sandbox, *command], cwd=PROJECT, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))["postgres"]
    login = {"host": "127.0.0.1", "port": state["port"], "user": "elt", "password": state["password"]}
    return psycopg2.connect(**login, dbname="warehouse")


@pytest.mark.skipif("TEST_MYSQL_HOST" not in os.environ, reason="only `make test-mysql` names a second MySQL")
def test_the_marts_are_those_of_mariadb(
    servers: Servers, dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AS_OF", "2005-06-01T06:00:00")
    assert not servers.is_mariadb
    star = the_star(servers, dump)
    try:
        with build_from_mariadb(dump, tmp_path / "mariadb") as connection, connection.cursor() as cursor:

            def rows(sql: str) -> list[tuple[Any, ...]]:
                cursor.execute(sql)
                return list(cursor.fetchall())

            marts = [name for (name,) in star.query(TABLES)]
            assert len(marts) > 20 and rows(TABLES) == [(name,) for name in marts]
            differing = {}
            for mart in marts:
                here, there = (Counter(read(f"select m::text from marts.{mart} m")) for read in (star.query, rows))
                if here != there:
                    differing[mart] = (list((here - there).items())[:3], list((there - here).items())[:3])
            assert not differing
        with servers.mysql(servers.environment["MYSQL_DATABASE"]) as source, source.cursor() as lines:
            lines.execute("select count(*) from orderdetails")
            assert star.query("select count(*) from marts.fct_order_lines") == list(lines.fetchall())
        connection.close()
    finally:
        environment = os.environ | {"SANDBOX_FOLDER": str(tmp_path / "mariadb")}
        subprocess.run([sys.executable, "-m", "sandbox", "clean"], cwd=PROJECT, env=environment, check=True)
