"""What every build says about the data, by dimension: recorded in the warehouse, shown on a page."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest

from catalog.quality import DIMENSIONS
from tests.catalog.conftest import Documented
from tests.conftest import PROJECT

LATEST = "(select invocation_id from quality.test_results order by started_at desc limit 1)"


def shown(documented: Documented, folder: Path) -> dict[str, list[str]]:
    """The rows of the page's first table, by dimension."""
    subprocess.run(
        [sys.executable, "-m", "catalog", str(folder)],
        cwd=PROJECT,
        env=documented.environment | {"DBT_TARGET_PATH": str(documented.target)},
        check=True,
        capture_output=True,
        timeout=60,
    )
    html = (folder / "dimensions.html").read_text(encoding="utf-8").split("<h2>")[0]
    rows = re.findall(r"<tr>\s*(<td.*?)</tr>", html, re.DOTALL)
    cells = [
        [unescape(re.sub("<.*?>", " ", cell, flags=re.DOTALL)).split() for cell in row.split("</td>")] for row in rows
    ]
    return {row[0][0]: [word for cell in (row[0][1:], *row[2:]) for word in cell] for row in cells}


@pytest.fixture
def dbt(documented: Documented) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """dbt, after which its artifacts are again those that the site is made of."""
    kept = {path: path.read_bytes() for path in documented.target.glob("*.json")}

    def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        result = documented.dbt(*words, **environment)
        for path, content in kept.items():
            path.write_bytes(content)
        return result

    return run


@pytest.fixture
def a_payment_of_nobody(documented: Documented) -> Iterator[str]:
    """Its check number; the customer is back after the test."""
    connection = documented.servers.postgres()
    with connection.cursor() as cursor:
        cursor.execute("select check_number, customer_number from raw_classicmodels.payments limit 1")
        ((number, customer),) = cursor.fetchall()
        change = "update raw_classicmodels.payments set customer_number = %s where check_number = %s"
        cursor.execute(change, (None, number))
        yield str(number)
        cursor.execute(change, (customer, number))
    connection.close()


def test_each_test_of_a_build_is_recorded(documented: Documented) -> None:
    results = json.loads((documented.target / "last_build.json").read_text(encoding="utf-8"))
    tests = [result for result in results["results"] if result["unique_id"].startswith("test.")]
    recorded = documented.query(
        "select status, count(*), count(distinct test_name) from quality.test_results"
        f" where invocation_id = '{results['metadata']['invocation_id']}' group by 1"
    )
    assert {status: count for status, count, _ in recorded} == Counter(result["status"] for result in tests)
    assert all(count == names for _, count, names in recorded)
    assert {name for (name,) in documented.query("select distinct dimension from quality.test_results")} == set(
        DIMENSIONS
    )


def test_a_build_that_fails_records_and_shows_it(
    documented: Documented,
    dbt: Callable[..., "subprocess.CompletedProcess[str]"],
    a_payment_of_nobody: str,
    tmp_path: Path,
) -> None:
    before = shown(documented, tmp_path)
    assert before.keys() == DIMENSIONS.keys() and {row[0] for row in before.values()} == {"pass"}
    result = dbt("build", "--select", "stg_classicmodels__payments+")
    assert result.returncode == 1, result.stdout[-2000:]
    recorded = documented.query(
        f"select dimension, test_name, rows_failing from quality.test_results where invocation_id = {LATEST}"
        " and status = 'fail'"
    )
    test = "not_null_stg_classicmodels__payments_customer_number"
    assert recorded == [("completeness", test, 1)]
    page = shown(documented, tmp_path)
    assert page["completeness"][:2] == [test, "fail"] and page["completeness"][-2:] == ["1", "1"]
    assert page["uniqueness"][0] == "pass"
    assert a_payment_of_nobody not in (tmp_path / "dimensions.html").read_text(encoding="utf-8")


SAYS_NOTHING: tuple[tuple[list[str], dict[str, str]], ...] = (
    (["run", "--select", "stg_classicmodels__offices"], {}),
    (["build", "--select", "stg_classicmodels__offices", "--exclude-resource-type", "test"], {}),
    (["build", "--select", "no_such_model"], {}),
    (["test", "--select", "stg_classicmodels__offices"], {"DBT_RECORD_QUALITY": "false"}),
)


@pytest.mark.parametrize(("words", "environment"), SAYS_NOTHING, ids=["run", "no test", "nothing", "off"])
def test_what_says_nothing_about_the_data_is_not_recorded(
    words: list[str],
    environment: dict[str, str],
    documented: Documented,
    dbt: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    before = documented.query("select count(*) from quality.test_results")
    result = dbt(*words, **environment)
    assert result.returncode == 0, result.stdout
    assert documented.query("select count(*) from quality.test_results") == before
