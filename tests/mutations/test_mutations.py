"""Green means something: at least 95 of 100 small mistakes in the models turn one of dbt's tests red."""

import time

import pytest

from tests.conftest import Servers
from tests.mutations import report
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.mutants import choose, mutants_of
from tests.mutations.run import Verdict, all_mutants, run


@pytest.fixture(scope="module")
def verdicts(servers: Servers) -> list[Verdict]:
    mutants = all_mutants()
    started = time.monotonic()
    verdicts = run(servers, choose(mutants, report.COUNT, seed=1))
    print(report.write(verdicts, len(mutants), time.monotonic() - started))
    return verdicts


def test_mistakes_turn_a_test_red(verdicts: list[Verdict]) -> None:
    assert len(report.counted(verdicts)) >= 100
    assert report.killed_share(verdicts) >= 0.95, f"see {report.REPORT}"


def test_what_is_called_equivalent_survives(verdicts: list[Verdict]) -> None:
    assert [v.mutant.key for v in verdicts if v.mutant.key in EQUIVALENT and v.status != "survived"] == []


def test_what_is_called_equivalent_exists() -> None:
    assert EQUIVALENT.keys() - {mutant.key for mutant in all_mutants()} == set()


def test_every_mutant_is_one_change_with_a_key_of_its_own() -> None:
    mutants = all_mutants()
    assert len({mutant.key for mutant in mutants}) == len(mutants)


def test_a_mutant_changes_just_its_place() -> None:
    text = "select\n    a.order_date -- not b or c\nfrom a\nleft join b on a.x = b.x and {{ this }}.y > 0\n"
    changed = {(mutant.operator, mutant.apply(text).replace(text[:40], "")) for mutant in mutants_of("m.sql", text)}
    assert ("join type", text[40:].replace("left", "inner")) in changed
    assert ("comparison", text[40:].replace("a.x = b.x", "a.x <> b.x")) in changed
    assert ("condition dropped", text[40:].replace("{{ this }}.y > 0", "true")) in changed
    assert not any("not (" in change or "b and c" in change for _, change in changed)
