"""Personal data is classified at the source, and everything that is made of it carries the class."""

import re
from typing import Any

import pytest

from catalog.lineage import Column, Lineage, column_lineage
from tests.catalog.conftest import Documented

STRICTEST_FIRST = ("direct", "free_text", "quasi")
KEYS_SHARED_WITH_PERSONAL_DATA = {("model.classicmodels.dim_offices", "location_key")}
"""Made of an office's address, and equal to a customer's in the same place."""
NAMES = re.compile(
    r"name$|(^|_)(phone|fax|mobile|e?mail|extension|address|postal|zip|birth|contact|comments?|notes?|check|card|iban)"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w")
PHONE = re.compile(r"[+(]?\d[\d ().,/-]{6,}\d")
LONG_TEXT = 100


@pytest.fixture(scope="module")
def manifest(documented: Documented) -> dict[str, Any]:
    return documented.manifest


@pytest.fixture(scope="module")
def lineage(manifest: dict[str, Any]) -> Lineage:
    return column_lineage(manifest)


def marks(manifest: dict[str, Any]) -> dict[Column, Any]:
    """The columns that say whether they are personal data: a class, or False."""
    return {
        (node["unique_id"], column["name"]): column["config"]["meta"]["pii"]
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        for column in node.get("columns", {}).values()
        if "pii" in column["config"].get("meta", {})
    }


def wrongly_marked(lineage: Lineage, marked: dict[Column, Any]) -> list[str]:
    """Columns that do not carry the strictest class of what they read directly, and say nothing of it."""
    found = []
    for column, parents in lineage.items():
        classes = {marked.get(parent) for parent in parents}
        expected = next((pii for pii in STRICTEST_FIRST if pii in classes), None)
        if column in KEYS_SHARED_WITH_PERSONAL_DATA or marked.get(column) is False:
            continue
        if marked.get(column) != expected:
            found.append(f"{'.'.join(column)} is {marked.get(column)}, made of {expected}")
    return found


def looks_personal(name: str, values: list[str], personal_values: set[str]) -> str | None:
    """Why a column of the source looks like personal data."""
    if NAMES.search(name):
        return "its name"
    if any(EMAIL.search(value) for value in values):
        return "an e-mail address"
    if any(len(value) > LONG_TEXT for value in values):
        return "free text"
    if values and sum(bool(PHONE.fullmatch(value.strip())) for value in values) > len(values) / 2:
        return "telephone numbers"
    if values and sum(value.strip() in personal_values for value in values) > len(values) / 2:
        return "values of a classified column"
    return None


def test_every_column_carries_the_class_of_what_it_is_made_of(manifest: dict[str, Any], lineage: Lineage) -> None:
    marked = marks(manifest)
    assert wrongly_marked(lineage, marked) == []
    assert sum(bool(pii) for pii in marked.values()) == 80


def test_a_class_that_is_lost_or_weakened_on_the_way_is_seen(manifest: dict[str, Any], lineage: Lineage) -> None:
    marked = marks(manifest)
    source = ("source.classicmodels.classicmodels.customers", "phone")
    snapshot = ("snapshot.classicmodels.snap_customers", "phone")
    mart = ("model.classicmodels.dim_customers", "phone")
    assert any("dim_customers.phone" in line for line in wrongly_marked(lineage, marked | {mart: None}))
    assert any("dim_customers.phone" in line for line in wrongly_marked(lineage, marked | {mart: "quasi"}))
    assert any("customers.phone" in line for line in wrongly_marked(lineage, marked | {source: False}))
    assert any(
        "stg_classicmodels__customers.phone" in line for line in wrongly_marked(lineage, marked | {snapshot: False})
    )


def test_every_column_of_the_source_that_looks_like_personal_data_is_classified(
    documented: Documented, manifest: dict[str, Any]
) -> None:
    marked = {
        (column[0].split(".")[-1], column[1]): pii for column, pii in marks(manifest).items() if "source." in column[0]
    }
    values = {
        (table, column): [
            value
            for (value,) in documented.query(
                f'select distinct "{column}" from raw_classicmodels."{table}" where "{column}" <> \'\' order by 1 limit 2000'
            )
        ]
        for table, column in documented.query(
            "select table_name, column_name from information_schema.columns where table_schema = 'raw_classicmodels'"
            " and data_type in ('text', 'character varying') and table_name !~ '^_'"
        )
    }
    assert len(values) == 38
    personal_values = {
        value.strip() for column, found in values.items() if marked.get(column) == "direct" for value in found
    }
    looks = {column: looks_personal(column[1], found, personal_values) for column, found in values.items()}
    assert [f"{'.'.join(column)}: {why}" for column, why in looks.items() if why and column not in marked] == []
    assert {column for column, pii in marked.items() if pii and not column[0].startswith("_")} <= {
        column for column, why in looks.items() if why
    }


@pytest.mark.parametrize(
    ("name", "values", "looks"),
    [
        ("sur_name", ["x"], "its name"),
        ("date_of_birth", [], "its name"),
        ("reach_by", ["see ana@example.com"], "an e-mail address"),
        ("reach_by", ["+47 22 55 01 60", "(206) 555-0110", "none"], "telephone numbers"),
        ("remarks", ["word " * 30], "free text"),
        ("who", ["Ana", "Bo", "Cy"], "values of a classified column"),
        ("product_code", ["S10_1678"], None),
        ("city", ["Oslo", "Ana"], None),
    ],
)
def test_what_looks_personal(name: str, values: list[str], looks: str | None) -> None:
    assert looks_personal(name, values, {"Ana", "Bo"}) == looks
