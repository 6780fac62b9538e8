"""The whole project through dbt-redshift, first and incremental, read in both ways: the same marts as on Postgres."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.redshift.conftest import AWS_SECRET, PATHS, READER, Day, Redshift, dbt
from tests.redshift.proxy import Proxy

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


def test_every_mart_is_the_same_as_on_postgres(days: list[Day]) -> None:
    lines, different = [], []
    for build, day in zip(("first", "incremental"), days, strict=True):
        for prefix, outcome in day.outcomes.items():
            assert outcome.returncode == 0, (build, prefix, outcome.stdout[-3000:])
        expected = day.tables["postgres"]
        assert len(expected) > 20
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
    assert len(second) != len(first) and set(first) & set(second)


def test_tables_have_the_keys_that_the_configuration_says(days: list[Day], redshift: Redshift) -> None:
    """As the system views tell them, after the first build and after the incremental one."""
    manifest = json.loads((redshift.folder / "check_views" / "manifest.json").read_text(encoding="utf-8"))
    marts = [node for node in manifest["nodes"].values() if node["resource_type"] == "model" and "marts" in node["fqn"]]
    assert len(marts) > 15
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
    assert len(facts) >= 6
    assert not [name for name, found in facts.items() if not found[0].startswith("KEY(") or len(found) < 2]
    assert keys["marts.fct_orders"][0] == keys["marts.fct_order_lines"][0]  # joined without moving rows
    assert keys["marts.fct_payments"][0] == keys["marts.dim_customers"][0]


def test_staging_views_bind_late(days: list[Day], redshift: Redshift) -> None:
    found = redshift.query(
        "select distinct view_schema, view_name from pg_get_late_binding_view_cols()"
        " cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int)"
        " where view_schema in ('check_views_staging', 'check_show_staging')"
    )
    assert len(found) == 2 * len(list((PROJECT / "models" / "staging" / "classicmodels").glob("*.sql")))


def test_the_readers_may_read_every_mart_and_nothing_else(days: list[Day], redshift: Redshift, stand_in: Proxy) -> None:
    granted = redshift.query(
        "select namespace_name, relation_name, privilege_type from svv_relation_privileges"
        f" where identity_name = '{READER}'"
    )
    marts = {name.removeprefix("marts.") for name in days[1].tables["postgres"] if name.startswith("marts.")}
    assert set(granted) == {(f"{prefix}_marts", name, "select") for prefix in PATHS for name in marts}


def test_texts_fit_in_bytes(days: list[Day], redshift: Redshift) -> None:
    """A length is in characters on Postgres, in bytes on Redshift: what is longest in the data fits there too."""
    connection = redshift.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_schema || '.' || table_name, column_name, character_maximum_length from information_schema.columns"
            " where table_schema = 'marts' and data_type = 'character varying'"
        )
        columns = cursor.fetchall()
        assert len(columns) > 90 and all(length for *_, length in columns)
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
    assert len(stand_in.statements) > 2000 and (redshift.folder / "check_views" / "manifest.json").exists()


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


@pytest.mark.parametrize("what", PLANTED)
def test_a_model_that_only_postgres_reads_is_refused_by_name(
    days: list[Day], redshift: Redshift, what: str, tmp_path: Path
) -> None:
    """The same model passes on Postgres."""
    model = f"planted_{what}"
    for part in ("models", "macros", "snapshots", "seeds", "tests", "dbt_project.yml"):
        (tmp_path / part).symlink_to(PROJECT / part) if part != "models" else shutil.copytree(
            PROJECT / part, tmp_path / part
        )
    (tmp_path / "models" / "intermediate" / f"{model}.sql").write_text(PLANTED[what] + "\n", encoding="utf-8")
    words = ["run", "--select", model, "--project-dir", str(tmp_path)]
    target = tmp_path / "target"
    on_postgres = dbt(os.environ | redshift.servers.environment, target, *words)
    assert on_postgres.returncode == 0, on_postgres.stdout[-2000:]
    refused = redshift.dbt("check_views", *words)
    assert refused.returncode == 1 and f"Database Error in model {model}" in refused.stdout, refused.stdout[-2000:]
    if redshift.proxy:
        assert "Redshift does not support: " in refused.stdout
