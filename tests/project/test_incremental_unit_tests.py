"""dbt's unit tests of incremental branches read the table itself, so they run once it has been built."""

import json

from tests.project.conftest import Star


def test_incremental_branches(star: Star) -> None:
    result = star.dbt("test", "--select", "test_type:unit", DBT_TEST_INCREMENTAL="true")
    assert result.returncode == 0, result.stdout[-3000:]
    manifest = json.loads((star.target / "manifest.json").read_text(encoding="utf-8"))
    tested = {
        test["model"]
        for test in manifest["unit_tests"].values()
        if (test["overrides"] or {}).get("macros", {}).get("is_incremental")
    }
    incremental = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
    }
    ran = json.loads((star.target / "run_results.json").read_text(encoding="utf-8"))["results"]
    assert {one["unique_id"] for one in ran if one["unique_id"].startswith("unit_test.")} == manifest[
        "unit_tests"
    ].keys()
    assert tested == incremental
