"""The whole project through dbt-redshift, first and incremental, read in both ways: the same marts as on Postgres."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.redshift.conftest import AWS_SECRET, PATHS, PUBLISHED, READER, Day, Redshift, dbt
from tests.redshift.proxy import Proxy

MARTS = {f"marts.{path.stem}" for path in (PROJECT / "models" / "marts").glob("*.sql")}
SNAPSHOTS = {f"snapshots.{path.stem}" for path in (PROJECT / "snapshots").glob("snap_*.yml")}
HEADER = """\
# Redshift and Postgres: the same marts

The project, built by dbt-redshift through a stand-in for Redshift (`tests/redshift/`), twice, and compared row for row with the
Postgres target on the same landed data. It is an adapter compatibility test: it shows that SQL, macros, materialisations and
the order of statements fit Redshift's adapter and driver. It shows nothing of Redshift's planner, rounding, late binding or speed.
COPY and joined texts count lengths in bytes, as Redshift does, casts and columns in characters; that the longest texts of the
marts fit in bytes is a test of its own, over these rows. `views` reads metadata from system views, `show` with SHOW commands (`datasharing: true`).

| build | table | rows | SHA-256 of the rows on Postgres | views | show |
| --- | --- | ---: | --- | --- | --- |
"""


def manifest_of(redshift: Redshift) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(
        (redshift.folder / "check_views" / "manifest.json").read_text(encoding="utf-8")
    )
    return manifest


def test_every_mart_is_the_same_as_on_postgres(days: list[Day]) -> None:
    lines, different = [], []
    for build, day in zip(("first", "incremental"), days, strict=True):
        for prefix, outcome in day.outcomes.items():
            assert outcome.returncode == 0, (build, prefix, outcome.stdout[-3000:])
        expected = day.tables["postgres"]
        assert expected.keys() == {*MARTS, *SNAPSHOTS}
        for name, rows in sorted(expected.items()):
            same = {prefix: day.tables[prefix].get(name) == rows for prefix in PATHS}
            verdicts = " | ".join("identical" if same[prefix] else "DIFFERENT" for prefix in PATHS)
            digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
            lines.append(f"| {build} | {name} | {len(rows)} | `{digest}` | {verdicts} |")
            different += [(build, name, prefix) for prefix in PATHS if not same[prefix]]
        assert all(day.tables[prefix].keys() == expected.keys() for prefix in PATHS)
    report = PROJECT / "reports" / "redshift_parity.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    assert not different, different


def test_the_second_build_was_incremental(days: list[Day]) -> None:
    first, second = (day.tables["postgres"]["marts.fct_order_lines"] for day in days)
    old, new = set(first), set(second)
    assert old & new and old - new and new - old, "some lines stay, some change or go, some come"


def test_the_second_build_replaced_changed_orders_alone(days: list[Day], redshift: Redshift, stand_in: Proxy) -> None:
    """The builds and profiles of the landing were recorded, and the second build went by them."""
    for prefix in PATHS:
        builds = "next_builds" if prefix == PUBLISHED else "builds"
        marts = f"{prefix}_next_marts" if prefix == PUBLISHED else f"{prefix}_marts"
        assert redshift.query(f"select is_complete from {prefix}_quality.{builds}") == [(True,), (True,)]
        assert redshift.query(f"select count(distinct table_name) from {prefix}_quality.profiles") == [(8,)]
        deleted = [" ".join(text.split()) for text in stand_in.statements if "delete from" in text]
        table = f'"{stand_in.backend.database}"."{marts}"."fct_order_lines"'
        assert any(f"delete from {table} where order_number in (" in text for text in deleted)


def test_tables_have_the_keys_that_the_configuration_says(days: list[Day], redshift: Redshift) -> None:
    """As the system views tell them, after the first build and after the incremental one."""
    marts = [
        node
        for node in manifest_of(redshift)["nodes"].values()
        if node["resource_type"] == "model" and "marts" in node["fqn"]
    ]
    assert {f"marts.{node['alias']}" for node in marts} == MARTS
    for node in marts:
        config = node["config"]
        sort = config.get("sort") or []
        style = config["dist"].upper() if config["dist"] in ("all", "even") else f"KEY({config['dist']})"
        wanted = (style, *([sort] if isinstance(sort, str) else sort))
        for day in days:
            for prefix in PATHS:
                assert day.keys[prefix][f"marts.{node['alias']}"] == wanted, (node["name"], prefix)


def test_large_tables_are_distributed_by_a_key_and_sorted(days: list[Day], redshift: Redshift) -> None:
    """A fact never falls back on the default, which is for small tables."""
    keys = days[0].keys["check_views"]
    facts = {name: found for name, found in keys.items() if ".fct_" in name or ".orders_obt" in name}
    assert facts.keys() == {name for name in MARTS if name.startswith(("marts.fct_", "marts.orders_obt"))}
    assert not [name for name, found in facts.items() if not found[0].startswith("KEY(") or len(found) < 2]
    assert keys["marts.fct_orders"][0] == keys["marts.fct_order_lines"][0]  # joined without moving rows
    assert keys["marts.fct_payments"][0] == keys["marts.dim_customers"][0]


def test_staging_views_bind_late(days: list[Day], redshift: Redshift) -> None:
    found = redshift.query(
        "select distinct view_schema, view_name from pg_get_late_binding_view_cols()"
        " cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int)"
        " where view_schema in ('check_views_staging', 'check_show_next_staging')"
    )
    assert len(found) == 2 * len(list((PROJECT / "models" / "staging").glob("*/*.sql")))


def test_the_readers_may_read_every_mart_and_nothing_else(days: list[Day], redshift: Redshift, stand_in: Proxy) -> None:
    granted = redshift.query(
        "select namespace_name, relation_name, privilege_type from svv_relation_privileges"
        f" where identity_name = '{READER}'"
    )
    marts = {name.removeprefix("marts.") for name in days[1].tables["postgres"] if name.startswith("marts.")}
    schemas = [f"{prefix}_marts" for prefix in PATHS] + [f"{PUBLISHED}_next_marts"]  # whose schema they may not enter
    assert set(granted) == {(schema, name, "select") for schema in schemas for name in marts}


def test_texts_fit_in_bytes(days: list[Day], redshift: Redshift) -> None:
    """A length is in characters on Postgres, in bytes on Redshift: what is longest in the data fits there too."""
    texts = {
        (f"marts.{node['name']}", name)
        for node in manifest_of(redshift)["nodes"].values()
        if node["resource_type"] == "model" and "marts" in node["fqn"]
        for name, column in node["columns"].items()
        if column["data_type"].startswith("varchar")
    }
    connection = redshift.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_schema || '.' || table_name, column_name, character_maximum_length from information_schema.columns"
            " where table_schema = 'marts' and data_type = 'character varying'"
        )
        columns = cursor.fetchall()
        assert {(table, column) for table, column, _ in columns} == texts
        assert all(length for *_, length in columns)
        for table, column, length in columns:
            cursor.execute(f"select max(octet_length({column})) from {table}")
            assert (cursor.fetchone()[0] or 0) <= length, (table, column)
    connection.close()


def test_no_secret_is_in_a_statement_or_an_artefact(days: list[Day], redshift: Redshift, stand_in: Proxy) -> None:
    secrets = [
        redshift.environment["REDSHIFT_PASSWORD"],
        stand_in.backend.admin_password,
        redshift.servers.environment["PGPASSWORD"],
        redshift.servers.environment["MYSQL_PASSWORD"],
        AWS_SECRET,
    ]
    logs = list((PROJECT / "logs").glob("dbt.log*"))
    assert logs
    for name, text in (
        *enumerate(stand_in.statements),
        *(
            (path, path.read_text(encoding="utf-8", errors="replace"))
            for path in (*redshift.folder.rglob("*"), *logs)
            if path.is_file()
        ),
    ):
        if isinstance(name, Path) and name.suffix == ".pem":
            continue
        assert not any(secret in text for secret in secrets), name
        assert not re.search(r"AKIA[0-9A-Z]{16}|secret_access_key|aws_secret|credentials\s+'", text, re.IGNORECASE), (
            name
        )
    seen = "\n".join(stand_in.statements)
    assert [name for name in MARTS for prefix in PATHS if f"{prefix}_{name}".replace(".", '"."') not in seen] == []
    assert (redshift.folder / "check_views" / "manifest.json").exists()


def test_roles_are_refused_rather_than_left_out(days: list[Day], redshift: Redshift, tmp_path: Path) -> None:
    """Masks and row-level security are written for Postgres: dbt must not pass over them."""
    own = {"DBT_TARGET": "redshift", "MYSQL_DATABASE": "check", "DBT_SCHEMA_PREFIX": "check_views", "DBT_ROLES": "true"}
    refused = dbt(redshift.environment | own, tmp_path, "run", "--select", "dim_dates")
    assert refused.returncode != 0 and "written for Postgres only" in refused.stdout, refused.stdout[-2000:]


PLANTED = {
    "filter": "select count(*) filter (where order_number > 0) as orders from {{ ref('stg_classicmodels__orders') }}",
    "distinct_on": (
        "select distinct on (customer_number) customer_number, order_number"
        " from {{ ref('stg_classicmodels__orders') }} order by customer_number, order_number"
    ),
    "unsized": "select cast(order_status as text) as status from {{ ref('stg_classicmodels__orders') }}",
}


@pytest.fixture(scope="module")
def refusals(days: list[Day], redshift: Redshift, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What dbt says of each planted model on Redshift; Postgres takes them all."""
    project = tmp_path_factory.mktemp("planted")
    shutil.copytree(PROJECT / "models", project / "models")
    for part in ("macros", "snapshots", "seeds", "tests", "dbt_project.yml"):
        (project / part).symlink_to(PROJECT / part)
    for what, sql in PLANTED.items():
        (project / "models" / "intermediate" / f"planted_{what}.sql").write_text(f"{sql}\n", encoding="utf-8")
    words = ["run", "--select", *(f"planted_{what}" for what in PLANTED), "--project-dir", str(project)]
    on_postgres = dbt(os.environ | redshift.servers.environment, project / "target", *words)
    assert on_postgres.returncode == 0, on_postgres.stdout[-2000:]
    refused = redshift.dbt("check_views", *words)
    assert refused.returncode == 1, refused.stdout[-2000:]
    _, *said = re.split(r"Database Error in model planted_", refused.stdout)
    return {text.split()[0]: text for text in said}


@pytest.mark.parametrize("what", PLANTED)
def test_a_model_that_only_postgres_reads_is_refused_by_name(
    refusals: dict[str, str], redshift: Redshift, what: str
) -> None:
    assert what in refusals
    if redshift.proxy:
        assert "Redshift does not support: " in refusals[what]
