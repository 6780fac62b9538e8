"""Neither code nor odd commands break history: other cleaning, new attributes, warehouses of before, parts of the source."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.project.conftest import Star
from tests.sequences.test_what_the_source_breaks import Warehouse

FOLDERS = ("models", "macros", "snapshots", "seeds", "tests/generic", "tests/singular")
STAGING = "models/staging/classicmodels/stg_classicmodels__{}.sql"
SNAPSHOTS = ("snap_customers", "snap_employees", "snap_offices", "snap_products", "snap_product_stock")
TABLES_ONLY = ("build", "--exclude-resource-type", "test", "unit_test")
INCREMENTAL = ("fct_order_lines", "fct_orders", "fct_payments", "fct_order_product_lines", "orders_obt")
OF_BEFORE = """
alter table {snapshots}.snap_employees rename reports_to to reports_to_employee_number;
alter table {snapshots}.snap_products rename msrp to list_price;
update {snapshots}.snap_customers set country = trim(country), city = trim(city), contact_last_name = trim(contact_last_name),
    contact_first_name = trim(contact_first_name), address_line1 = trim(address_line1), postal_code = trim(postal_code);
update {snapshots}.snap_employees set first_name = trim(first_name), last_name = trim(last_name);
"""
"""What the snapshots of cleaned rows had, with the two statements a table of ``_of_before``."""


class Project(Warehouse):
    """A warehouse that a copy of the project builds, whose code may change."""

    def __init__(self, star: Star, folder: Path):
        super().__init__(star, "held")
        self.folder = folder
        for name in FOLDERS:
            shutil.copytree(PROJECT / name, folder / name)
        shutil.copy(PROJECT / "dbt_project.yml", folder)

    def dbt(self, *words: str, succeeds: bool = True) -> str:
        words = (*words, "--project-dir", str(self.folder))
        result = self.star.by_hand(*words, DBT_SCHEMA_PREFIX=self.prefix)
        assert (result.returncode == 0) == succeeds, result.stdout[-6000:]
        return result.stdout

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert before in text, name
        path.write_text(text.replace(before, after), encoding="utf-8")

    def versions(self) -> dict[str, list[tuple[Any, ...]]]:
        """Which versions there are, whatever is in them."""
        return {
            name: self.query(f"select dbt_scd_id, dbt_valid_from, dbt_valid_to from {{snapshots}}.{name} order by 1")
            for name in SNAPSHOTS
        }

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        tables = (*INCREMENTAL, "fct_customer_balances", "dim_customers", "dim_locations")
        return {name: self.query(f"select to_jsonb(t) from {{marts}}.{name} t order by t::text") for name in tables}


@pytest.fixture(scope="module")
def project(star: Star, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    one = Project(star, tmp_path_factory.mktemp("project"))
    one.dbt(*TABLES_ONLY)
    one.land("update customers set city = 'Bergen', country = 'Norway  ' where customerNumber = 103")
    one.dbt(*TABLES_ONLY)
    yield one
    one.land("update customers set city = 'Nantes', country = 'France' where customerNumber = 103")
    one.drop()


def test_other_cleaning_shows_in_every_version_and_makes_none(project: Project) -> None:
    versions, rows = project.versions(), project.rows()
    place = ("coalesce(trim(country), 'Unknown')", "upper(coalesce(trim(country), 'Unknown'))")
    project.edit(STAGING.format("customers"), *place)
    project.edit(STAGING.format("offices"), *place)
    test = "assert_current_versions_equal_the_source"  # says itself how a country is cleaned
    project.dbt("build", "--exclude-resource-type", "unit_test", "--exclude", test)
    assert project.versions() == versions
    assert project.query(
        "select distinct country from {marts}.dim_customers where customer_number = 103 order by 1"
    ) == [
        ("FRANCE",),
        ("NORWAY",),
    ]
    found = project.rows()
    project.dbt("run", "--full-refresh")
    assert project.rows() == found, "an incremental build after a change of code equals a full refresh"
    project.edit(STAGING.format("customers"), *reversed(place))
    project.edit(STAGING.format("offices"), *reversed(place))
    project.dbt(*TABLES_ONLY)
    assert project.versions() == versions and project.rows() == rows


def test_a_new_attribute_makes_no_version(project: Project) -> None:
    versions = project.versions()
    project.land("alter table customers add segment varchar(20) not null default 'retail'")
    try:
        project.edit("snapshots/snap_customers.sql", "    phone,\n", "    phone,\n    segment,\n")
        project.edit(
            "snapshots/snap_customers.yml", "        - credit_limit\n", "        - credit_limit\n        - segment\n"
        )
        project.edit(STAGING.format("customers"), "trim(phone) as phone,", "trim(phone) as phone,\n        segment,")
        project.dbt(*TABLES_ONLY)
        assert project.versions() == versions
        assert project.query("select distinct segment from {staging}.stg_classicmodels__customers") == [("retail",)]
        project.land("update customers set segment = 'trade' where customerNumber = 112")
        project.dbt("snapshot")
        changed = project.query("select count(*) from {snapshots}.snap_customers where segment = 'trade'")
        assert changed == [(1,)] and len(project.versions()["snap_customers"]) == len(versions["snap_customers"]) + 1
    finally:
        project.edit("snapshots/snap_customers.sql", "    segment,\n", "")
        project.edit("snapshots/snap_customers.yml", "        - segment\n", "")
        project.edit(STAGING.format("customers"), "\n        segment,", "")
        project.land("alter table customers drop segment")
        project.dbt(*TABLES_ONLY)


def test_other_code_of_a_snapshot_makes_no_version(project: Project) -> None:
    versions = project.versions()
    change = ("    job_title,\n", "    upper(job_title) as job_title,\n")
    project.edit("snapshots/snap_employees.sql", *change)
    project.dbt("snapshot")
    assert project.versions() == versions
    assert project.query("select count(*) from {snapshots}.snap_employees where job_title <> upper(job_title)") == [
        (0,)
    ]
    project.edit("snapshots/snap_employees.sql", *reversed(change))
    project.dbt("snapshot")
    assert project.versions() == versions


def test_a_warehouse_of_before_is_migrated_with_its_history(project: Project) -> None:
    versions, rows = project.versions(), project.rows()
    row_of = (
        "select to_jsonb(t) - 'segment' from {{snapshots}}.{name} t order by 1"  # which the test before left behind
    )
    contents = {name: project.query(row_of.format(name=name)) for name in SNAPSHOTS}
    for name in SNAPSHOTS:
        project.execute(f"alter table {{snapshots}}.{name} rename landed_at to _loaded_at")
    project.execute(OF_BEFORE)
    said = project.dbt("build", succeeds=False)
    assert "make migrate" in said and "START sql" not in said and "START snapshot" not in said
    project.dbt("run-operation", "migrate_snapshots")
    project.dbt(*TABLES_ONLY)
    assert project.versions() == versions and project.rows() == rows
    for name in SNAPSHOTS:
        migrated = project.query(row_of.format(name=name))
        still_open = [row for row in contents[name] if row[0]["dbt_valid_to"] is None]
        assert [row for row in migrated if row[0]["dbt_valid_to"] is None] == still_open
    project.dbt("run-operation", "migrate_snapshots")
    assert project.versions() == versions, "once is enough, twice does no harm"


@pytest.mark.parametrize(
    "words", [("build", "--empty"), ("snapshot", "--empty"), ("run", "--sample", "3 days")], ids=str
)
def test_parts_of_the_source_are_refused(words: tuple[str, ...], project: Project) -> None:
    versions, rows = project.versions(), project.rows()
    said = project.dbt(*words, succeeds=False)
    assert f"dbt {words[1]} is refused" in said
    assert project.versions() == versions and project.rows() == rows


def test_a_clone_is_built_on(project: Project, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(project.star.target, state)
    clone = Project(project.star, tmp_path / "project")
    clone.prefix = "cloned"
    try:
        clone.dbt("clone", "--state", str(state))
        assert clone.versions() == project.versions() and clone.rows() == project.rows()
        clone.dbt(*TABLES_ONLY)
        assert clone.versions() == project.versions() and clone.rows() == project.rows()
    finally:
        clone.drop()
