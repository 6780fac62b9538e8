"""The gate finds what Redshift refuses and Postgres takes, and lets pass what AWS's documentation shows to be valid."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from checks.__main__ import main
from checks.gate import violations
from tests.conftest import PROJECT, Servers

HERE = Path(__file__).parent


def statements(name: str) -> dict[str, str]:
    """The statements of a file by the comment before each."""
    text = (HERE / name).read_text(encoding="utf-8").split("\n\n", 1)[1]
    found = re.findall(r"^-- (.+)\n((?:(?!-- ).*\n)+)", text, re.MULTILINE)
    assert len({title for title, _ in found}) == len(found) == text.count("\n-- ") + 1
    return {title: sql.strip() for title, sql in found}


PLANTED = statements("planted.sql")
VALID = statements("valid.sql")


def test_none_was_lost() -> None:
    assert (len(PLANTED), len(VALID)) == (153, 147)


@pytest.fixture(scope="module")
def tables(servers: Servers) -> Iterator[Any]:
    connection = servers.postgres()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(
            "drop schema if exists portability cascade; create schema portability; set search_path to portability"
        )
        cursor.execute("create table customers (customer_id integer primary key, name varchar(100), payload json)")
        cursor.execute(
            "create table orders (order_id integer, customer_id integer, order_date date, status varchar(20),"
            " amount numeric(12, 2), note varchar(1000), loaded_at timestamp)"
        )
        cursor.execute("create table staged (like orders); create sequence numbers_seen")
    connection.commit()
    yield connection
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("drop schema portability cascade")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("title", PLANTED)
def test_what_is_planted_is_found_and_postgres_takes_it(title: str, tables: Any) -> None:
    found = violations(PLANTED[title])
    try:
        with tables.cursor() as cursor:
            cursor.execute("set local search_path to portability")
            cursor.execute(PLANTED[title])
    except psycopg2.Error as error:
        pytest.fail(f"Postgres does not take it, so it is no trap: {error}")
    finally:
        tables.rollback()
    assert found, "the gate does not find it"
    assert all(violation.page.startswith("https://docs.aws.amazon.com/redshift/latest/dg/") for violation in found)


@pytest.mark.parametrize("title", VALID)
def test_what_redshift_reads_is_let_pass(title: str) -> None:
    assert violations(VALID[title]) == []


# The command, on a copy of the project.


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("models", "macros", "snapshots", "tests/generic", "tests/singular"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    for name in (".sqlfluff", "dbt_project.yml"):
        shutil.copy(PROJECT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(path: Path, after: str, text: str) -> int:
    """Put a line after the last one that equals ``after``; returns its number."""
    lines = path.read_text(encoding="utf-8").splitlines()
    number = len(lines) - lines[::-1].index(after)
    path.write_text("\n".join([*lines[:number], text, *lines[number:], ""]), encoding="utf-8")
    return number + 1


def test_the_projects_own_sql_is_portable(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["portability"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_model_and_its_line_are_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marts = copy / "models" / "marts"
    filter_ = plant(marts / "dim_offices.sql", "    select", "    count(*) filter (where city is null) as planted,")
    cast = plant(marts / "dim_products.sql", "    select", "    cast(product_name as text) as planted,")
    distinct = plant(marts / "dim_customers.sql", "    select", "    distinct on (customer_key)")
    branch = plant(
        marts / "fct_order_lines.sql", "    {%- if is_incremental() %}", "    cross join (values (1)) as planted"
    )
    assert main(["portability", "models/marts"]) == 1
    found = capsys.readouterr().out.splitlines()
    assert found == [
        f"models/marts/dim_customers.sql:{distinct}: distinct on: use row_number() [r_SELECT_list]",
        f"models/marts/dim_offices.sql:{filter_}: filter (where ...): put a case into the aggregate [c_Aggregate_Functions]",
        f"models/marts/dim_products.sql:{cast}: text without a length holds 256 bytes: varchar(n) [r_Character_types]",
        f"models/marts/fct_order_lines.sql:{branch}: values as a table: select ... union all select ..."
        " [c_unsupported-postgresql-features]",
    ]


def test_the_branch_of_a_first_build_is_read_too(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = copy / "models" / "marts" / "dim_offices.sql"
    line = plant(model, "    select", "    {% if not is_incremental() %}now() as planted,{% endif %}")
    assert main(["portability", "models/marts/dim_offices.sql"]) == 1
    assert f"dim_offices.sql:{line}: now()" in capsys.readouterr().out


def test_a_macro_is_found_where_it_is_used(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = copy / "macros" / "keys.sql"
    keys.write_text(keys.read_text(encoding="utf-8").replace("varchar(1024)", "varchar"), encoding="utf-8")
    assert main(["portability", "models/marts/fct_order_lines.sql", "models/marts/fct_payments.sql"]) == 1
    models = {line.split(":")[0] for line in capsys.readouterr().out.splitlines()}
    assert models == {"models/marts/fct_order_lines.sql", "models/marts/fct_payments.sql"}


def test_of_what_dbt_compiled_the_source_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = plant(copy / "models" / "marts" / "dim_offices.sql", "    select", "    cast(city as text) as planted,")
    compiled = copy / "target" / "compiled" / "classicmodels" / "models" / "marts"
    (compiled / "fct_orders.yml").mkdir(parents=True)
    (compiled / "dim_offices.sql").write_text("-- compiled\nselect\n    cast(city as text) as planted,\n    1 as one\n")
    (compiled / "fct_orders.yml" / "some_test.sql").write_text("select 1\nwhere now() is null")
    assert main(["portability", "target/compiled"]) == 1
    offices, orders = capsys.readouterr().out.splitlines()
    assert offices.startswith(f"models/marts/dim_offices.sql:{line}: text without")
    assert orders.startswith("models/marts/fct_orders.yml: target/compiled/classicmodels/models/marts/fct_orders.yml/")
    assert "some_test.sql:2: now()" in orders


@pytest.mark.parametrize("text", ["select {{ no_such_macro() }}", "select {% if %}"])
def test_what_cannot_be_read_is_no_silent_pass(copy: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (copy / "models" / "broken.sql").write_text(text)
    assert main(["portability", "models/broken.sql"]) == 2
    assert "models/broken.sql" in capsys.readouterr().err


def test_a_path_without_sql_is_an_error(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["portability", "no_such_file.sql"]) == 2
    assert "no_such_file.sql" in capsys.readouterr().err
    (copy / "empty").mkdir()
    assert main(["portability", "empty"]) == 2
    assert "empty" in capsys.readouterr().err


def test_a_text_that_never_ends_is_a_finding() -> None:
    assert "not understood" in violations("select 'never ends")[0].what


def test_lines_and_statements_are_told_apart() -> None:
    found = violations("select 1;\n\nselect now()\n, 'x'::text;")
    assert [violation.line for violation in found] == [3, 4]
