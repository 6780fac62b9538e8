"""A hostile schema is landed in one run: each hazard ends exact, kept or named, and none silently."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landing.report import LandingReport, TableReport
from tests.conftest import PROJECT, Lane, Servers
from tests.hazards.reader import Kept, Source, changes, differences, read_raw, read_source
from tests.hazards.schema import FIRST, HAZARDS, SERVER, Hazard

REPORTS = {name: PROJECT / "reports" / f"hazards{end}.md" for name, end in (("mariadb", ""), ("mysql", "_mysql"))}
ALLOW_ALL = (
    "SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00', sql_select_limit = 18446744073709551615"
)


VERDICTS = {"exact": 259, "kept": 24, "named": 11}
"""On MariaDB. Whoever adds a hazard adds it here."""


@dataclasses.dataclass
class Hostile:
    """The schema, and what its landings did."""

    lane: Lane
    server: str
    """mariadb or mysql."""
    hazards: list[Hazard]
    cursor: Any
    """On the source; opened before the server's settings became hostile."""
    warehouse: Any
    first: LandingReport
    again: LandingReport
    full: LandingReport
    changed: LandingReport
    before: dict[str, Source]
    """By table, before and after it was changed."""
    after: dict[str, Source]
    verdicts: dict[str, tuple[str, str]]
    """By hazard, of the first landing: verdict and detail."""

    def differences(self, hazard: Hazard, source: Source) -> list[str]:
        raw = read_raw(self.warehouse, self.lane.raw, source, hazard.table)
        return ["no raw table"] if raw is None else differences(source, raw)


@pytest.fixture(scope="module")
def hostile(servers: Servers) -> Iterator[Hostile]:
    lane = Lane(servers, "hostile_schema")
    connection = servers.mysql()
    cursor = connection.cursor()
    server = "mariadb" if servers.is_mariadb else "mysql"
    hazards = [hazard for hazard in HAZARDS if hazard.is_for(servers.mysql_version)]
    cursor.execute(ALLOW_ALL)
    cursor.execute(f"drop database if exists {lane.database}")
    cursor.execute(f"create database {lane.database} character set utf8mb4")
    cursor.execute(f"grant select on {lane.database}.* to {servers.account}")
    cursor.execute(f"use {lane.database}")
    lane.warehouse("drop schema if exists {raw} cascade")
    for statement in (*FIRST, *(statement for hazard in hazards for statement in hazard.sql)):
        cursor.execute(statement)
    warehouse = servers.postgres()
    usual: dict[str, Any] = {}
    for name in SERVER:
        cursor.execute(f"select @@global.{name}")
        usual[name] = cursor.fetchone()[0]
    try:
        for name, value in SERVER.items():
            cursor.execute(f"set global {name} = {value}")
        none = LandingReport("", "", "", "")
        state = Hostile(lane, server, hazards, cursor, warehouse.cursor(), none, none, none, none, {}, {}, {})
        state.first = _land(lane)
        tables = {hazard.table for hazard in hazards if hazard.ends == "lands"}
        state.before = {table: read_source(cursor, lane.database, table) for table in tables}
        state.verdicts = {hazard.name: _verdict(state, hazard) for hazard in hazards}
        state.again = _land(lane)
        state.full = _land(lane, full_compare=True)
        for hazard in hazards:
            for statement in hazard.change:
                cursor.execute(statement)
        state.changed = _land(lane)
        state.after = {table: read_source(cursor, lane.database, table) for table in tables}
        yield state
    finally:
        for name, value in usual.items():
            cursor.execute(f"set global {name} = %s", (value,))
        cursor.execute(f"drop database {lane.database}")
        connection.close()
        warehouse.close()
        lane.warehouse("drop schema if exists {raw} cascade")


def _land(lane: Lane, **options: Any) -> LandingReport:
    return lane.land({"INGEST_VIEWS": "1"}, **options)


def _of(report: LandingReport, hazard: Hazard) -> TableReport | None:
    return next((table for table in report.tables if table.source_table == hazard.table), None)


def _verdict(state: Hostile, hazard: Hazard) -> tuple[str, str]:
    table = _of(state.first, hazard)
    if table is None:
        return "SILENT", "the report does not name the table"
    if table.status == "failed":
        return ("named" if table.reason else "SILENT"), table.reason
    if hazard.ends == "named":
        return "SILENT", f"it cannot have landed, but is {table.status}"
    source = state.before[hazard.table]
    found = state.differences(hazard, source) + _unexpected(hazard, source)
    kept = len(source.kept())
    if hazard.kept not in (None, kept):
        found.append(f"{kept} values were kept, not {hazard.kept}")
    if table.rows != len(source.rows) or table.cast_exceptions != kept:
        found.append(f"reported {table.rows} rows, {table.cast_exceptions} exceptions")
    if found:
        return "SILENT", "; ".join(found)
    return ("kept", f"{kept} of {len(source.rows)} rows") if kept else ("exact", f"{len(source.rows)} rows")


def _unexpected(hazard: Hazard, source: Source) -> list[str]:
    """Values that are not what was put in: the server or the reader would be wrong."""
    if not (hazard.texts or hazard.numbers):
        return []
    wanted = list(hazard.texts) or [number.hex() for number in hazard.numbers]
    seen = {row[0]: row[1] for row in source.rows}
    return [
        f"{wanted[number - 1]!r} is read as {value!r}"
        for number, value in seen.items()
        if not isinstance(value, Kept) and value != wanted[number - 1]
    ]


def test_no_hazard_is_silent(hostile: Hostile) -> None:
    write_report(hostile, REPORTS[hostile.server])
    silent = {name: detail for name, (verdict, detail) in hostile.verdicts.items() if verdict == "SILENT"}
    assert not silent, "\n".join(f"{name}: {detail}" for name, detail in silent.items())
    if hostile.server == "mariadb":
        assert len(hostile.hazards) == 294
        assert Counter(verdict for verdict, _ in hostile.verdicts.values()) == VERDICTS


def test_what_can_land_lands(hostile: Hostile) -> None:
    failed = {table.source_table: table.reason for table in hostile.first.tables if table.status == "failed"}
    expected = {hazard.table for hazard in hostile.hazards if hazard.ends == "named"}
    assert {name: reason for name, reason in failed.items() if name not in expected} == {}
    assert expected <= failed.keys() and hostile.first.status == "failed"


def test_a_second_landing_changes_nothing(hostile: Hostile) -> None:
    landed = {table.source_table for table in hostile.first.tables if table.status == "landed"}
    for report, statuses in ((hostile.again, {"unchanged"}), (hostile.full, {"landed"})):
        moved = {
            table.source_table: (table.status, table.reason, table.inserted, table.updated, table.deleted)
            for table in report.tables
            if table.source_table in landed
            and (table.status not in statuses or (table.inserted, table.updated, table.deleted) != (0, 0, 0))
        }
        assert moved == {}


def test_each_change_arrives_and_is_counted(hostile: Hostile) -> None:
    wrong = {}
    for hazard in hostile.hazards:
        if hazard.ends == "named":
            continue
        table = _of(hostile.changed, hazard)
        before, after = hostile.before[hazard.table], hostile.after[hazard.table]
        raw = read_raw(hostile.warehouse, hostile.lane.raw, after, hazard.table)
        assert table is not None and raw is not None
        found = differences(after, raw)
        expected = changes(before, after, raw.key)
        if (table.inserted, table.updated, table.deleted) != expected:
            counted = (table.inserted, table.updated, table.deleted)
            found.append(f"{table.status} {table.reason} counted {counted}, not {expected}")
        if hazard.change and before.rows == after.rows:
            found.append("the change changed nothing: the hazard's own fault")
        if found:
            wrong[hazard.name] = found
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())


def test_kept_values_can_be_put_back_in_their_rows(hostile: Hostile) -> None:
    """The exceptions' row keys lead to the row; where the key itself could not be held, by the row's MD5."""
    for hazard in hostile.hazards:
        source = hostile.after.get(hazard.table)
        if source is None or not source.kept():
            continue
        raw = read_raw(hostile.warehouse, hostile.lane.raw, source, hazard.table)
        assert raw is not None
        at = [[column.name for column in source.columns].index(name) for name in raw.key]
        expected = Counter(
            ("no key" if not at or None in key else str(key), column.name, value.original)
            for row, plain in zip(source.rows, source.plain(), strict=True)
            for key in [[plain[number] for number in at]]
            for column, value in zip(source.columns, row, strict=True)
            if isinstance(value, Kept)
        )
        seen = Counter(
            ("no key" if list(key) == ["row_md5"] else str(list(key.values())), column, original)
            for column, original, _, key in raw.exceptions
        )
        assert seen == expected, hazard.name


def write_report(hostile: Hostile, path: Path) -> None:
    """The verdicts as a page a person can read."""
    counts = {
        word: sum(verdict == word for verdict, _ in hostile.verdicts.values())
        for word in ("exact", "kept", "named", "SILENT")
    }
    hostile.cursor.execute("select version()")
    (version,) = hostile.cursor.fetchone()
    lines = [
        "# Hazards",
        "",
        f"{len(hostile.hazards)} hazards of a MySQL schema ({version}), landed in one run: "
        + ", ".join(f"{count} {word}" for word, count in counts.items())
        + ".",
        "",
        "- exact: each value was compared by a reader that shares no code with the landing",
        "- kept: NULL in the raw table, and the original, exactly, in `_landing_exceptions`",
        "- named: the table cannot land; the report names it with the reason below, and all others landed",
        "- SILENT: neither; must not occur",
        "",
        "| hazard | what tools get wrong | type | verdict | seen |",
        "| --- | --- | --- | --- | --- |",
    ]
    for hazard in hostile.hazards:
        verdict, detail = hostile.verdicts[hazard.name]
        source = hostile.before.get(hazard.table)
        kinds = list(dict.fromkeys(column.type for column in source.columns if column.name != "id")) if source else []
        cells = [hazard.name, hazard.wrong, ", ".join(kinds)[:60], verdict, detail[:200]]
        lines.append(
            "| " + " | ".join(json.dumps(cell, ensure_ascii=False)[1:-1].replace("|", "\\|") for cell in cells) + " |"
        )
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
