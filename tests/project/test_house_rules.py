"""The rules of CONTRIBUTING.md that dbt does not enforce by itself, asked of the manifest of one ``dbt parse``."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT

Manifest = dict[str, Any]
Rule = Callable[[Manifest], Iterator[str]]

PREFIXES = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_", "bridge_", "metrics_", "ml_", "orders_obt", "source_exceptions"),
    "snapshot": ("snap_",),
}
MAY_READ = {
    "snapshot": {"source"},
    "staging": {"source", "snapshot"},
    "intermediate": {"staging", "snapshot", "seed", "intermediate", "dimension"},
    "dimension": {"staging", "snapshot", "seed", "intermediate", "dimension"},
    "fact": {"staging", "snapshot", "seed", "intermediate", "dimension", "fact"},
    "metric": {"dimension", "fact"},
    "seed": set[str](),
}
"""A dimension is read early, for its keys: int_orders__bound binds every order to its members once."""
WITHOUT_A_KEY = {
    "stg_classicmodels__landing_deletions": "two lines of one order can go in one landing; only the order matters here",
    "stg_classicmodels__order_lines": "fct_order_lines has the same rows, and its test looks at those that changed",
}
OF_A_VERSION = (
    "is_inferred",
    "is_current",
    "version_number",
    "valid_from",
    "valid_to",
    "known_since",
    "binds_from",
    "binds_to",
)
PII_CLASSES = (False, "direct", "quasi", "free_text")
MASKS = ("initial", "last_digits", "hash")
SENSITIVITIES = ("personal", "confidential", "internal")
DIMENSIONS = ("accuracy", "completeness", "uniqueness", "timeliness", "validity")
KEY_TESTS = ("unique", "unique_combination")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    target = tmp_path_factory.mktemp("target")
    subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", "parse", "--target-path", str(target)],
        cwd=PROJECT,
        env=os.environ | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")},
        check=True,
        timeout=300,
    )
    parsed: Manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return parsed


def nodes(manifest: Manifest, *kinds: str) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in (kinds or ("model",))]


def layer(node: dict[str, Any]) -> str:
    """The folder of a model's; for marts, how far on the way from dimension to metric it is."""
    if node["resource_type"] != "model":
        return str(node["resource_type"])
    if node["fqn"][1] != "marts":
        return str(node["fqn"][1])
    kinds = {"dim": "dimension", "bridge": "dimension", "metrics": "metric"}
    return kinds.get(node["name"].split("_")[0], "fact")


def name_says_the_layer(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest, "model", "snapshot"):
        folder = "snapshot" if node["resource_type"] == "snapshot" else node["fqn"][1]
        if not node["name"].startswith(PREFIXES.get(folder, ())):
            yield f"{node['name']}: in {folder}, names begin with {', '.join(PREFIXES.get(folder, ())) or 'nothing known'}"


def only_reads_layers_before_its_own(manifest: Manifest) -> Iterator[str]:
    """Snapshots and staging read sources; nothing else does."""
    every = manifest["nodes"] | manifest["sources"]
    for node in nodes(manifest, "model", "snapshot", "seed"):
        for parent in node["depends_on"].get("nodes", []):
            if layer(every[parent]) not in MAY_READ[layer(node)]:
                yield f"{node['name']}: {layer(node)} reads {every[parent]['name']}, {layer(every[parent])}"


def description_opens_with_the_grain(manifest: Manifest) -> Iterator[str]:
    for node in [*nodes(manifest, "model", "snapshot", "seed"), *manifest["sources"].values()]:
        if not node["description"].startswith("One row per "):
            yield f"{node['name']}: {node['description'][:40]!r}"


def every_column_is_described(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest, "model", "snapshot", "seed"):
        if not node["columns"]:
            yield f"{node['name']}: no column"
        for column in node["columns"].values():
            if not column["description"].strip():
                yield f"{node['name']}.{column['name']}"


def every_key_is_tested(manifest: Manifest) -> Iterator[str]:
    tests = nodes(manifest, "test")
    tested = {test["attached_node"] for test in tests if (test.get("test_metadata") or {}).get("name") in KEY_TESTS}
    for node in nodes(manifest, "model", "snapshot", "seed"):
        if node["unique_id"] not in tested and node["name"] not in WITHOUT_A_KEY:
            yield f"{node['name']}: no test that its key is unique"


def yaml_is_beside_the_sql(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest):
        stem = f"_v{node['version']}" if node.get("version") else ""
        sql = Path(node["original_file_path"])
        yaml = (node["patch_path"] or "nowhere").split("://")[-1]
        if yaml != str(sql.with_name(f"{sql.stem.removesuffix(stem)}.yml")):
            yield f"{node['name']}: described in {yaml}"


def every_mart_is_under_contract(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest):
        if node["fqn"][1] == "marts":
            if not node["config"]["contract"]["enforced"]:
                yield f"{node['name']}: its contract is not enforced"
            for column in node["columns"].values():
                if not column["data_type"]:
                    yield f"{node['name']}.{column['name']}: no data_type"


def everything_has_an_owner(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest, "model", "snapshot", "seed"):
        if f"group.{node['package_name']}.{node['config'].get('group')}" not in manifest["groups"]:
            yield f"{node['name']}: no group"
    for thing in [*manifest["groups"].values(), *manifest["exposures"].values()]:
        if thing["owner"].get("email") or not thing["owner"].get("name"):
            yield f"{thing['name']}: its owner is a team with a name and no address"


def marts_are_public_and_nothing_else_is(manifest: Manifest) -> Iterator[str]:
    for node in nodes(manifest):
        if (node["access"] == "public") != (node["fqn"][1] == "marts"):
            yield f"{node['name']}: in {node['fqn'][1]}, {node['access']}"


def every_mart_is_for_somebody(manifest: Manifest) -> Iterator[str]:
    """A mart that no exposure reads, directly or through another mart, is work for nobody."""
    for node in nodes(manifest):
        if node["fqn"][1] != "marts":
            continue
        reached, waiting = {node["unique_id"]}, [node["unique_id"]]
        while waiting:
            children = set(manifest["child_map"][waiting.pop()]) - reached
            reached |= children
            waiting += children
        if not any(child.startswith("exposure.") for child in reached):
            yield f"{node['name']}: no exposure reads it"


def personal_data_is_marked_the_same_everywhere(manifest: Manifest) -> Iterator[str]:
    """A column of one name has one class in every table that has it, offices aside: those are the company's."""
    where: dict[str, dict[str, list[str]]] = {}
    for node in nodes(manifest, "model", "snapshot"):
        if "offices" in node["name"]:
            continue
        for column in node["columns"].values():
            pii = str(column["config"].get("meta", {}).get("pii") or "none")
            where.setdefault(column["name"], {}).setdefault(pii, []).append(node["name"])
    for name, classes in where.items():
        if len(classes) > 1:
            yield f"{name}: personal data of several classes: {classes}"


def personal_data_is_classified_in_known_words(manifest: Manifest) -> Iterator[str]:
    for node in [*nodes(manifest, "model", "snapshot", "seed"), *manifest["sources"].values()]:
        for column in node["columns"].values():
            meta = column["config"].get("meta", {})
            if meta.get("pii", False) not in PII_CLASSES or meta.get("mask", MASKS[0]) not in MASKS:
                yield f"{node['name']}.{column['name']}: {meta}"
            if "mask" in meta and not (meta.get("pii") and node["fqn"][1] == "marts"):
                yield f"{node['name']}.{column['name']}: only personal data of marts is masked"


def every_source_is_under_contract(manifest: Manifest) -> Iterator[str]:
    """Owner, sensitivity, freshness and what a breach does; what they say agrees with the columns and the tests."""
    owners = {group["owner"]["name"] for group in manifest["groups"].values()}
    for table in manifest["sources"].values():
        meta = table["config"].get("meta", {})
        if meta.get("owner") not in owners:
            yield f"{table['name']}: its owner is no team of models/groups.yml"
        if meta.get("sensitivity") not in SENSITIVITIES:
            yield f"{table['name']}: its sensitivity is none of {', '.join(SENSITIVITIES)}"
        has_persons = any(column["config"].get("meta", {}).get("pii") for column in table["columns"].values())
        if has_persons != (meta.get("sensitivity") == "personal"):
            yield f"{table['name']}: {meta.get('sensitivity')}, and its columns are {'' if has_persons else 'not '}personal"
        if not (table["freshness"] or {}).get("error_after", {}).get("count"):
            yield f"{table['name']}: nothing says how old it may be"
        if meta.get("on_breach") not in ("stop", "warn"):
            yield f"{table['name']}: nothing says what a breach does"
        readers = [uid for uid in manifest["child_map"][table["unique_id"]] if meta.get("on_breach") == "stop"]
        for test in nodes(manifest, "test"):
            if (
                test.get("attached_node") in (table["unique_id"], *readers)
                and test["config"]["severity"].lower() != "error"
            ):
                yield f"{table['name']}: a breach stops the build, and {test['name']} only warns"


def history_says_what_makes_a_version(manifest: Manifest) -> Iterator[str]:
    """Each attribute of a dimension with versions is type 1 or type 2, and its snapshot makes versions of the second alone."""
    snapshots = {node["name"]: node for node in nodes(manifest, "snapshot")}
    for node in nodes(manifest):
        if layer(node) != "dimension" or "valid_from" not in node["columns"]:
            continue
        snapshot = snapshots[node["name"].replace("dim_", "snap_")]
        checked, key = snapshot["config"]["check_cols"], snapshot["config"]["unique_key"]
        for name, column in node["columns"].items():
            history = column["config"].get("meta", {}).get("history")
            if (history in ("type 1", "type 2")) == (
                name in OF_A_VERSION or name in (key, next(iter(node["columns"])))
            ):
                yield f"{node['name']}.{name}: {history}"
            if (history == "type 1" and name in checked) or (
                history == "type 2" and name in snapshot["columns"] and name not in checked
            ):
                yield f"{node['name']}.{name}: {history}, and {snapshot['name']} says otherwise"


def every_test_has_a_dimension(manifest: Manifest) -> Iterator[str]:
    """By itself or by its kind: what it says something about is recorded with each build (macros/quality.sql)."""
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    of_kinds: dict[str, str] = project["vars"]["quality_dimensions"]
    for test in nodes(manifest, "test"):
        kind = (test.get("test_metadata") or {}).get("name", "")
        if (test["config"].get("meta", {}).get("dimension") or of_kinds.get(kind)) not in DIMENSIONS:
            yield f"{test['name']}: none of {', '.join(DIMENSIONS)}: a sentence says it in its config"


RULES: tuple[Rule, ...] = (
    every_source_is_under_contract,
    every_test_has_a_dimension,
    history_says_what_makes_a_version,
    name_says_the_layer,
    only_reads_layers_before_its_own,
    description_opens_with_the_grain,
    every_column_is_described,
    every_key_is_tested,
    yaml_is_beside_the_sql,
    every_mart_is_under_contract,
    everything_has_an_owner,
    marts_are_public_and_nothing_else_is,
    every_mart_is_for_somebody,
    personal_data_is_marked_the_same_everywhere,
    personal_data_is_classified_in_known_words,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Rule, manifest: Manifest) -> None:
    assert list(rule(manifest)) == []


def test_exceptions_are_still_needed(manifest: Manifest) -> None:
    assert WITHOUT_A_KEY.keys() <= {node["name"] for node in nodes(manifest)}


DIMENSION = "model.classicmodels.dim_customers"
FACT, STAGING = "model.classicmodels.fct_orders", "model.classicmodels.stg_classicmodels__orders"
BREACHES: tuple[tuple[Rule, str, tuple[str, ...], Any], ...] = (
    (name_says_the_layer, FACT, ("name",), "orders"),
    (name_says_the_layer, STAGING, ("name",), "orders"),
    (only_reads_layers_before_its_own, FACT, ("depends_on", "nodes"), ["source.classicmodels.classicmodels.orders"]),
    (only_reads_layers_before_its_own, STAGING, ("depends_on", "nodes"), ["seed.classicmodels.order_statuses"]),
    (
        only_reads_layers_before_its_own,
        "model.classicmodels.int_orders__bound",
        ("depends_on", "nodes"),
        [FACT],
    ),
    (description_opens_with_the_grain, FACT, ("description",), "All the orders."),
    (history_says_what_makes_a_version, DIMENSION, ("columns", "credit_limit", "config", "meta"), {}),
    (
        history_says_what_makes_a_version,
        DIMENSION,
        ("columns", "credit_limit", "config", "meta"),
        {"history": "type 1"},
    ),
    (history_says_what_makes_a_version, DIMENSION, ("columns", "phone", "config", "meta"), {"history": "type 2"}),
    (every_column_is_described, FACT, ("columns", "is_late", "description"), " "),
    (every_column_is_described, STAGING, ("columns",), {}),
    (yaml_is_beside_the_sql, FACT, ("patch_path",), "classicmodels://models/marts/facts.yml"),
    (yaml_is_beside_the_sql, FACT, ("patch_path",), None),
    (every_mart_is_under_contract, FACT, ("config", "contract", "enforced"), False),
    (every_mart_is_under_contract, FACT, ("columns", "is_late", "data_type"), None),
    (everything_has_an_owner, FACT, ("config", "group"), None),
    (everything_has_an_owner, STAGING, ("config", "group"), "nobody"),
    (marts_are_public_and_nothing_else_is, FACT, ("access",), "protected"),
    (marts_are_public_and_nothing_else_is, STAGING, ("access",), "public"),
    (
        personal_data_is_marked_the_same_everywhere,
        STAGING,
        ("columns", "customer_number", "config", "meta"),
        {"pii": "direct"},
    ),
    (personal_data_is_marked_the_same_everywhere, FACT, ("columns", "customer_location_key", "config", "meta"), {}),
    (
        personal_data_is_classified_in_known_words,
        STAGING,
        ("columns", "order_comments", "config", "meta"),
        {"pii": True},
    ),
    (
        personal_data_is_classified_in_known_words,
        FACT,
        ("columns", "customer_location_key", "config", "meta"),
        {"pii": "quasi", "mask": "rot13"},
    ),
    (
        personal_data_is_classified_in_known_words,
        STAGING,
        ("columns", "order_comments", "config", "meta"),
        {"pii": "free_text", "mask": "hash"},
    ),
)


@pytest.mark.parametrize(("rule", "node", "path", "value"), BREACHES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_breach_is_seen(rule: Rule, node: str, path: tuple[str, ...], value: Any, manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    place = broken["nodes"][node]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert any(broken["nodes"][node]["name"] in breach or path[1] in breach for breach in rule(broken))


SOURCE = "source.classicmodels.classicmodels.customers"
CONTRACT_BREACHES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("config", "meta", "owner"), "Somebody"),
    (("config", "meta", "sensitivity"), "secret"),
    (("config", "meta", "sensitivity"), "internal"),
    (("config", "meta", "on_breach"), None),
    (("freshness",), None),
    (("columns",), {}),
)


@pytest.mark.parametrize(("path", "value"), CONTRACT_BREACHES)
def test_a_broken_contract_of_a_source_is_seen(path: tuple[str, ...], value: Any, manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    place = broken["sources"][SOURCE]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert {breach.split(":")[0] for breach in every_source_is_under_contract(broken)} == {"customers"}


def test_sentences_have_their_configuration_in_their_own_file() -> None:
    """dbt forgets what a .yml says of a singular test when it parses in part after a macro changed."""
    assert [str(path) for path in (PROJECT / "tests" / "singular").glob("*.y*ml")] == []


@pytest.mark.parametrize("kind", ["generic", "singular"])
def test_what_a_test_lacks_is_seen(kind: str, manifest: Manifest) -> None:
    """A dimension, and the severity that its source's contract asks for."""
    broken = copy.deepcopy(manifest)
    tests = [test for test in nodes(broken, "test") if bool(test.get("test_metadata")) == (kind == "generic")]
    staging = "model.classicmodels.stg_classicmodels__payments"
    test = next(test for test in tests if test.get("attached_node") == staging or kind == "singular")
    if kind == "generic":
        test["test_metadata"]["name"] = "unheard_of"
        test["config"]["severity"] = "warn"
        assert {breach.split(":")[0] for breach in every_source_is_under_contract(broken)} == {"payments"}
    test["config"]["meta"] = {}
    assert [breach.split(":")[0] for breach in every_test_has_a_dimension(broken)] == [test["name"]]


def test_a_missing_key_test_is_seen(manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    for unique_id, test in manifest["nodes"].items():
        if test["resource_type"] == "test" and test.get("attached_node") == FACT and "unique" in test["name"]:
            del broken["nodes"][unique_id]
    assert [breach.split(":")[0] for breach in every_key_is_tested(broken)] == ["fct_orders"]


def test_a_mart_for_nobody_is_seen(manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    broken["child_map"]["model.classicmodels.ml_customer_features"] = []
    assert [breach.split(":")[0] for breach in every_mart_is_for_somebody(broken)] == ["ml_customer_features"]


def test_an_address_of_an_owner_is_seen(manifest: Manifest) -> None:
    broken = copy.deepcopy(manifest)
    broken["exposures"]["exposure.classicmodels.sales_dashboard"]["owner"]["email"] = "somebody@example.com"
    assert [breach.split(":")[0] for breach in everything_has_an_owner(broken)] == ["sales_dashboard"]
