"""Green means something: every small mistake in the models turns one of dbt's tests red, but for those that are named.

Every day draws mutants of its own. ``TEST_SEED=20261130`` draws those of that day again; TEST_MUTANTS says how many.
"""

import os
import random
import subprocess
import time

import pytest

from tests import SEED
from tests.conftest import PROJECT, Servers
from tests.mutations import report
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.known import FORMER, SURVIVORS
from tests.mutations.mutants import Mutant, choose, mutants_of
from tests.mutations.run import Verdict, all_mutants, run


def drawn(mutants: list[Mutant]) -> list[Mutant]:
    """The day's, of a dozen files since each has to be prepared; as many of those that differ from main; all that were once missed."""
    git = ["git", "diff", "--name-only", "main", "--", "models", "macros"]
    differs = subprocess.run(git, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.split()
    chosen = [mutant for mutant in mutants if mutant.key in FORMER]
    files = sorted({mutant.path for mutant in mutants})
    of_the_day = random.Random(SEED).sample(files, min(len(files), max(12, report.COUNT // 5)))
    for paths in (of_the_day, differs):
        chosen += choose([mutant for mutant in mutants if mutant.path in paths], report.COUNT, SEED)
    return list(dict.fromkeys(chosen))


@pytest.fixture(scope="module")
def verdicts(servers: Servers) -> list[Verdict]:
    mutants = all_mutants()
    chosen = drawn(mutants)
    started = time.monotonic()
    verdicts = run(servers, chosen)
    print(report.write(verdicts, len(mutants), time.monotonic() - started))
    assert {verdict.mutant.key for verdict in verdicts} == {mutant.key for mutant in chosen}
    return verdicts


def test_mistakes_turn_a_test_red(verdicts: list[Verdict]) -> None:
    """95 of 100 on a day, as each day draws others; at night, when all are built, each that is not in ``known.py``."""
    counted = report.counted(verdicts)
    survived = {verdict.mutant.key for verdict in counted if verdict.status == "survived"} - SURVIVORS.keys()
    allowed = 0 if os.environ.get("NIGHTLY") else len(counted) // 20
    assert len(survived) <= allowed, f"TEST_SEED={SEED}; see {report.REPORT}; add to known.py: {survived}"


def test_most_mutants_are_queries(verdicts: list[Verdict]) -> None:
    """What is no query counts for nothing: were most of them none, nothing would be shown."""
    assert 10 * sum(verdict.status == "no query" for verdict in verdicts) <= len(verdicts)


def test_what_was_missed_once_is_killed(verdicts: list[Verdict]) -> None:
    assert {v.mutant.key: v.status for v in verdicts if v.mutant.key in FORMER} == dict.fromkeys(FORMER, "killed")


def test_what_is_called_equivalent_or_a_survivor_survives(verdicts: list[Verdict]) -> None:
    named = EQUIVALENT.keys() | SURVIVORS.keys()
    assert [v.mutant.key for v in verdicts if v.mutant.key in named and v.status != "survived"] == []


def test_what_is_named_exists() -> None:
    assert {*EQUIVALENT, *SURVIVORS, *FORMER} - {mutant.key for mutant in all_mutants()} == set()


def test_every_mutant_is_one_change_with_a_key_of_its_own() -> None:
    mutants = all_mutants()
    assert len({mutant.key for mutant in mutants}) == len(mutants)


def test_a_mutant_changes_just_its_place() -> None:
    text = "select\n    a.order_date -- not b or c\nfrom a\nleft join b on a.x = b.x and {{ this }}.y > 0\n"
    changed = {(mutant.operator, mutant.apply(text).replace(text[:40], "")) for mutant in mutants_of("m.sql", text)}
    assert ("join type", text[40:].replace("left", "inner")) in changed
    assert ("comparison", text[40:].replace("a.x = b.x", "a.x <> b.x")) in changed
    assert ("condition dropped", text[40:].replace("{{ this }}.y > 0", "true")) in changed
    kinds = {
        "select a.margin_amount, b.buy_price, b.country from a": {
            ("clamp", "select greatest(a.margin_amount, 0) as margin_amount, b.buy_price, b.country from a"),
            ("rounding", "select a.margin_amount, round(b.buy_price) as buy_price, b.country from a"),
            ("case and blanks", "select a.margin_amount, b.buy_price, upper(b.country) as country from a"),
        },
        "select a.x from a left join b on a.k = b.k where b.x > 0": {
            ("wrong table", "select b.x from a left join b on a.k = b.k where b.x > 0"),
        },
        "on a.k = b.k and a.day >= b.binds_from and a.day < b.binds_to": {
            ("version of today", "on a.k = b.k and b.is_current")
        },
        "select cast(extract(dow from a_day) + 6 as integer) % 7": {
            ("week start", "select cast(extract(dow from a_day) as integer) % 7")
        },
        "select trim(country) as country": {("case and blanks", "select country as country")},
    }
    for text, expected in kinds.items():
        assert expected <= {(mutant.operator, mutant.apply(text)) for mutant in mutants_of("m.sql", text)}
    assert not any("not (" in change or "b and c" in change for _, change in changed)
