"""Thousands of tables go in bounded steps: through dlt, and out of the arrival schema."""

import dataclasses
from pathlib import Path

from ingestion.mysql import batches
from landing import steps
from landing.columns import SourceTable, TablePlan
from landing.files import RowFile
from tests.conftest import Lane


def test_dlt_is_given_at_most_200_tables_at_once_and_every_file() -> None:
    table = SourceTable("t", (), 0, True)
    plans = [TablePlan(dataclasses.replace(table, name=f"t{number}"), f"t{number}", (), "") for number in range(450)]
    files = [RowFile(plan, Path(f"{plan.name}_{part}"), 1) for part in range(2) for plan in plans]
    given = list(batches(files))
    assert [len({file.table for file in some}) for some in given] == [200, 200, 50]
    assert sorted(file.path for some in given for file in some) == sorted(file.path for file in files)


def test_what_a_killed_landing_left_is_dropped_in_bounded_transactions(lane: Lane) -> None:
    """Each table takes locks, and one transaction must not need more of them than the server has."""
    lane.execute("create table items (id int primary key)")
    arrivals = lane.raw.replace("raw_", "landing_")
    lane.warehouse(
        f"create schema {arrivals}; do $$ begin for n in 1..450 loop"
        f" execute format('create table {arrivals}.t%s (id int)', n); end loop; end $$"
    )
    dropped: list[int] = []

    def watch(step: str, about: str) -> None:
        if step == "statement done" and about.startswith("drop table if exists"):
            dropped.append(about.count(f'"{arrivals}".'))

    steps.watchers.append(watch)
    try:
        assert lane.land().status == "ok"
    finally:
        steps.watchers.remove(watch)
    assert [many for many in dropped if many > 1] == [200, 200, 50]
