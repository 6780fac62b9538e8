"""Thousands of tables go in bounded steps: through dlt, and out of the arrival schema."""

import dataclasses
import os
from pathlib import Path

import pytest

from ingestion import mysql
from ingestion.mysql import grouped
from landing import steps
from landing.columns import SourceTable, TablePlan
from landing.files import CopyResult, RowFile
from landing.settings import Settings
from tests.conftest import Lane
from tests.faults.stoppable import Point, Stoppable


def test_no_pipeline_of_dlt_has_more_tables_than_it_bears_and_every_file_goes() -> None:
    table = SourceTable("t", (), 0, True)
    plans = [TablePlan(dataclasses.replace(table, name=f"t{n}"), f"t{n}", (), f"t{n}") for n in range(450)]
    files = [RowFile(plan, Path(f"{plan.name}_{part}"), 1) for part in range(2) for plan in plans]
    groups: dict[str, int] = {}
    first, rest = grouped(files[:300], groups), grouped(files[300:], groups)
    together = [first.get(group, []) + rest.get(group, []) for group in (first | rest)]
    assert [len({file.table.name for file in some}) for some in together] == [200, 200, 50]
    assert sorted(file.path for some in together for file in some) == sorted(file.path for file in files)


def test_tables_of_several_pipelines_land(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [f"t{number}" for number in range(25)]
    for table in tables:
        lane.execute(f"create table {table} (id int primary key)", f"insert into {table} values (1), (2)")
    pipelines: dict[Path, set[str]] = {}

    def copy(files: list[RowFile], settings: Settings, folder: Path) -> CopyResult:
        pipelines.setdefault(folder, set()).update(file.table.name for file in files)
        return whole(files, settings, folder)

    whole = mysql.copy_by_dlt
    monkeypatch.setattr(mysql, "copy_by_dlt", copy)
    monkeypatch.setattr(mysql, "TABLES_OF_A_PIPELINE", 10)
    assert lane.land().status == "ok"
    assert sorted(map(len, pipelines.values())) == [5, 10, 10]
    assert lane.warehouse("select count(*), sum(row_count) from {raw}._landing_state") == [(25, 50)]


def test_more_tables_than_a_pipeline_bears_land_after_a_kill(lane: Lane, tmp_path: Path) -> None:
    many = mysql.TABLES_OF_A_PIPELINE + 50
    for number in range(many):
        lane.execute(f"create table t{number} (id int primary key)", f"insert into t{number} values ({number}), (-1)")
    at = Point("copying file", mysql.TABLES_OF_A_PIPELINE + 20)
    landing = Stoppable(os.environ | lane.environment, [], at, tmp_path / "said")
    landing.wait(300)
    landing.kill()
    arrived = (
        f"select count(*) from information_schema.tables where table_schema = '{lane.raw.replace('raw', 'landing', 1)}'"
    )
    ((there,),) = lane.warehouse(arrived)
    assert there > mysql.TABLES_OF_A_PIPELINE and lane.warehouse("select * from {raw}._landing_runs") == []
    assert lane.land().status == "ok"
    assert lane.warehouse("select count(*), sum(row_count) from {raw}._landing_state") == [(many, 2 * many)]
    tables = " union all ".join(f"select {number}, sum(id) from {{raw}}.t{number}" for number in range(many))
    assert [total for _, total in lane.warehouse(f"{tables} order by 1")] == [number - 1 for number in range(many)]
    assert lane.warehouse(arrived) == [(0,)]


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
