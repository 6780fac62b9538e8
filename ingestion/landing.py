"""One landing: snapshot -> stage -> verify -> publish."""

import dataclasses
import datetime
import logging
import os
import queue
import shutil
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psycopg2

from ingestion import drift
from ingestion.connection import WarehouseUnavailable, explain
from ingestion.drift import Verdict
from ingestion.plan import Table, plan_table, plan_tables
from ingestion.reading import Reading, reading_of
from ingestion.records import Change, Run, State
from ingestion.redshift import Redshift, S3Stage
from ingestion.settings import Settings, SettingsError
from ingestion.source import Source, TableUnreadable
from ingestion.stage import Chunk, Stage
from ingestion.warehouse import NotPublished, Warehouse

log = logging.getLogger("ingestion")
NOT_READ = "not read: the server's log stands where it stood"


@dataclasses.dataclass
class TableReport:
    """What a landing did with one table."""

    source_table: str
    table: str | None = None
    status: str = "failed"
    """``landed``, ``unchanged`` (the source's rows are the same, byte for byte, as last time) or ``failed``."""
    reason: str = ""
    rows: int = 0
    """Rows MySQL sent; of a table that was not read, when it last was."""
    checksum: int = 0
    loaded: int = 0
    """Of these, rows that were loaded to be compared: all, or those of blocks of keys where something changed."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    cast_exceptions: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Report:
    """What a landing did; ``status`` is ``ok``, or ``failed`` when at least one table did not land."""

    run_id: str
    loaded_at: str
    source_database: str
    raw_schema: str
    status: str = "ok"
    seconds: float = 0.0
    tables: list[TableReport] = dataclasses.field(default_factory=list)


def land(settings: Settings) -> Report:
    """Land every table the settings ask for and return what was read and written.

    Raises:
        SourceUnavailable: MySQL cannot be reached or went away. What was published before is untouched.
        WarehouseUnavailable, StageUnavailable: the same for the warehouse.
        AnotherLanding: one into the same schema is running.
        SettingsError: ``AS_OF`` lies before the last landing, a pattern fits nothing in the source, or the raw schema
            holds another source.
    """
    warehouse = Redshift(settings) if settings.staging else Warehouse(settings)
    folder: Path | None = None
    try:
        folder = _work_folder(settings)
        return Landing(settings, warehouse, folder).run()
    except psycopg2.Error as error:
        raise WarehouseUnavailable(explain(error, settings)) from None
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        warehouse.close()


def _work_folder(settings: Settings) -> Path:
    """A new private folder; those that killed landings left are removed, as long as they are ours."""
    settings.work_folder.mkdir(parents=True, exist_ok=True)
    for left in settings.work_folder.glob(f"{settings.work_prefix}*"):
        if left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=settings.work_prefix, dir=settings.work_folder))


class Landing:
    """One landing, from what the last one left to what the next one finds."""

    def __init__(self, settings: Settings, warehouse: Warehouse, folder: Path):
        self.settings = settings
        self.warehouse = warehouse
        self.folder = folder
        self.started_at = datetime.datetime.now(datetime.timezone.utc)
        self.clock = time.monotonic()
        self.reports: dict[str, TableReport] = {}
        self.readings: dict[Table, Reading] = {}
        """Of the tables that were read to the end."""
        self.verdicts: dict[str, Verdict] = {}
        self.load_ids: dict[str, list[str]] = {}
        self.forgotten: dict[str, str] = {}
        """Raw tables that are not followed any more, each with the one that takes its place, or nothing."""
        self.extracted: queue.Queue[Chunk | BaseException | None] = queue.Queue()

    def run(self) -> Report:
        self.warehouse.prepare()
        if other := self.warehouse.other_source():
            raise SettingsError(f"{self.settings.raw_schema} holds the tables of {other}. Nothing was read.")
        self.loaded_at = self._loaded_at()
        self.states = self.warehouse.states()
        self.suppressions = self.warehouse.suppressions()
        self.source = Source(self.settings)
        try:
            tables = self._plan()
            self._stage(tables)
        finally:
            self.source.close()
        staged = [table for table in self.readings if self._report(table).status != "failed"]
        changed = [table for table in staged if self._report(table).status != "unchanged" and self._verified(table)]
        unchanged = [table for table in staged if self._report(table).status == "unchanged"]
        report = self._publish(changed, unchanged)
        self._tidy([table for table in changed if self._report(table).status == "landed"])
        return report

    def _loaded_at(self) -> datetime.datetime:
        """The clock of this landing: later than the last landing's, so that a row's time tells which one changed it."""
        last = self.warehouse.last_loaded_at()
        now = self.settings.as_of or self.started_at
        if last and now < last and self.settings.as_of:
            raise SettingsError(f"AS_OF={now.isoformat()} is before the last landing, {last.isoformat()}.")
        self.clock_stands = bool(last and now < last)
        """Whether the last landing is dated later than now."""
        if self.clock_stands:
            log.warning("The last landing is dated %s, later than now; until then each compares whole tables.", last)
        return max(now, last + datetime.timedelta(microseconds=1)) if last else now

    def _plan(self) -> list[Table]:
        """What to read, once the drift of the schema is judged."""
        found = self.source.tables()
        plans, refused = plan_tables(self.source, found, self.settings, self.suppressions)
        for name, reason in refused.items():
            self.reports[name] = TableReport(name, reason=reason)
        known, taken = self.warehouse.known_columns(), self.warehouse.relations()
        followed = {columns[0].source_table: name for name, columns in known.items()}
        views = {table.name for table in found if table.is_view}
        columns = [f"{table.name}.{column.name}" for table in found for column in table.columns]
        self.settings.check_patterns({table.name for table in found} - views | followed.keys(), views, columns)
        self._judge_vanished(followed, {table.name for table in found}, views, {table.name for table in plans})
        accepted = []
        for table in plans:
            verdict = self.verdicts[table.name] = drift.judge(table, known.get(table.name, []))
            if verdict.is_new and table.name in taken:
                verdict.breaking.append(f"{table.name} is there already, and no landing follows it")
            if (old_name := followed.get(table.source.name, table.name)) != table.name:
                verdict.breaking.append(f"it landed as {old_name} before, whose rows stay and are not followed")
            report = self.reports[table.source.name] = TableReport(table.source.name, table.name)
            report.notes += verdict.notes
            if not table.source.transactional:
                report.notes.append("its engine has no snapshots: read as it was when its turn came")
            if withheld := [column.name for column in table.columns if column.withheld_if]:
                report.notes.append(f"{', '.join(withheld)}: withheld for people who were erased")
            if verdict.breaking and not self.settings.accept_drift:
                report.reason = (
                    "its definition changed: " + "; ".join(verdict.breaking) + ". The last good rows are untouched."
                    " To rebuild the raw table as the source is now, run with --accept-drift."
                )
                continue
            report.notes += verdict.breaking
            if old_name != table.name:
                self.forgotten[old_name] = table.name
            accepted.append(table)
        return accepted

    def _judge_vanished(self, followed: dict[str, str], present: set[str], views: set[str], planned: set[str]) -> None:
        may_land = present if self.settings.with_views else present - views
        for source_table, reason in drift.vanished(filter(self.settings.wants, followed), may_land, views).items():
            report = self.reports[source_table] = TableReport(source_table)
            if self.settings.accept_drift:
                name = followed[source_table]
                self.forgotten[name] = name if name in planned else ""
                fate = f"another table lands as {name} now" if name in planned else "its raw rows stay"
                report.status, report.notes = "landed", [f"{reason}: {fate}, and it is not followed any more"]
            else:
                report.reason = f"{reason}. The last good rows are untouched; to stop following it: --accept-drift."

    # from MySQL to the staging schema

    def _stage(self, tables: list[Table]) -> None:
        """Read in a thread while whatever files are finished are loaded."""
        stage: S3Stage | Stage
        if self.settings.staging:
            stage = S3Stage(self.settings)
        else:
            sockets = [self.warehouse.socket, self.source.socket]
            first = bool(tables) and not self.states  # else it may be that nothing has changed
            stage = Stage(self.settings, self.folder, sockets, at_once=first)
        reader = threading.Thread(target=self._extract, args=(tables,), daemon=True)
        reader.start()
        ended = False
        try:
            while not ended:
                chunks: list[Chunk] = []
                while not ended and not (chunks and self.extracted.empty()):
                    item = self.extracted.get()
                    if isinstance(item, BaseException):
                        raise item
                    if item is None:
                        ended = True
                    else:
                        chunks.append(item)
                if chunks:
                    self._load(stage, chunks)
        except BaseException:
            self.source.abort()  # or the reader would wait for rows that nobody needs
            raise
        finally:
            reader.join()
            stage.close()

    def _load(self, stage: S3Stage | Stage, chunks: list[Chunk]) -> None:
        load_id, failed = stage.copy(chunks)
        self.warehouse.check()
        for table, _, _ in chunks:
            report = self._report(table)
            ids = self.load_ids.setdefault(table.name, [])
            ids += [] if load_id in ids else [load_id]
            if table.staged_name in failed:
                report.status, report.reason = "failed", failed[table.staged_name]

    def _extract(self, tables: list[Table]) -> None:
        """The reading thread: hands over files, then None; or what went wrong."""
        try:
            for table in tables:
                try:
                    self._extract_table(table)
                except TableUnreadable as error:
                    self._report(table).reason = f"it could not be read: {error}"
                except psycopg2.Error as error:
                    self._report(table).reason = f"it could not be staged ({self.warehouse.why(table, error)})"
            self.extracted.put(None)
        except BaseException as error:  # handed to the main thread, which raises it
            self.extracted.put(error)

    def _extract_table(self, table: Table) -> None:
        started = time.monotonic()
        self.source.check_held(table.source.name)
        reading = reading_of(self, table)
        if not reading.run():  # a NUL or surrogate among its texts: once more, with every text checked
            table = plan_table(
                self.source, table.source, table.name, self.settings, self.suppressions, check_texts=True
            )
            reading = reading_of(self, table)
            reading.run()
        self.readings[table], report, totals = reading, self._report(table), reading.totals
        report.rows, report.checksum, report.loaded = totals.rows, totals.checksum, reading.loaded.rows
        if not report.reason:  # else a part of it was refused already
            report.status = "unchanged" if reading.unchanged else "staged"
        report.notes += [NOT_READ] if reading.left_out else []
        what = f"{'kept' if reading.left_out else 'read'} {table.source.name}"
        log.info("%-35s %12s rows %7.1f s", what, f"{report.rows:,}", time.monotonic() - started)

    # verify, publish

    def _verified(self, table: Table) -> bool:
        """Whether what arrived is what was loaded."""
        report, reading = self._report(table), self.readings[table]
        try:
            arrived = self.warehouse.staged_totals(table)
        except psycopg2.Error as error:
            report.status = "failed"
            why = self.warehouse.why(table, error)
            report.reason = f"what arrived could not be read ({why}). The last good rows are untouched."
            return False
        if arrived != reading.loaded:
            report.status = "failed"
            report.reason = (
                f"{reading.loaded} were loaded, {arrived} arrived. The last good rows are untouched; run again."
            )
        elif reading.partial is True and (
            self.warehouse.has_empty_key(table) or self.warehouse.has_repeated_key(table)
        ):
            report.status = "failed"
            report.reason = (
                "a key could not be held, or is that of several rows, so changes cannot be found: take it out of"
                " INGEST_INCREMENTAL"
            )
        elif self.settings.strict and (exceptions := self.warehouse.staged_exceptions(table)):
            report.status = "failed"
            report.reason = f"{exceptions} rows hold a value that their warehouse type cannot, and that is --strict"
        return report.status != "failed"

    def _publish(self, changed: list[Table], unchanged: list[Table]) -> Report:
        """Everything that is verified becomes visible at one moment, together with its records."""
        run = Run(str(uuid.uuid4()), self.started_at, self.loaded_at)
        remaining, changes = list(changed), None
        while changes is None:
            changes = self._try_to_publish(remaining, unchanged, run)
        for table, change in changes.items():
            report = self._report(table)
            report.status = "landed"
            report.inserted, report.updated, report.deleted = change.inserted, change.updated, change.deleted
            report.notes += [change.note] if change.note else []
        failed = any(report.status == "failed" for report in self.reports.values())
        return Report(
            run_id=run.id,
            loaded_at=self.loaded_at.isoformat(),
            source_database=self.settings.database,
            raw_schema=self.settings.raw_schema,
            status="failed" if failed else "ok",
            seconds=round(time.monotonic() - self.clock, 3),
            tables=sorted(self.reports.values(), key=lambda report: report.source_table),
        )

    def _try_to_publish(self, remaining: list[Table], unchanged: list[Table], run: Run) -> dict[Table, Change] | None:
        """What the transaction did to each table; None, and one table less, where the warehouse refuses one."""
        warehouse, changes = self.warehouse, {}
        warehouse.begin()
        published = {"", *(table.name for table in remaining)}
        for name, successor in self.forgotten.items():
            if successor in published:
                warehouse.forget(name)
        for table in remaining:
            verdict, reading = self.verdicts[table.name], self.readings[table]
            try:
                changes[table] = warehouse.publish(table, verdict, run, reading.partial, reading.loaded.rows)
                self._record(table, run, changes[table])
                warehouse.record_columns(table)
            except (NotPublished, psycopg2.Error) as error:
                warehouse.rollback()
                remaining.remove(table)
                report = self._report(table)
                report.status, report.reason = "failed", self._why_not_published(table, error)
                return None
        for table in unchanged:
            self._record(table, run, Change(0, 0, 0))
            if self.verdicts[table.name].notes:  # what changed in its definition is known from now on
                warehouse.record_columns(table)
        warehouse.record_run(run)
        warehouse.commit()
        return changes

    def _why_not_published(self, table: Table, error: NotPublished | psycopg2.Error) -> str:
        if isinstance(error, NotPublished):
            return f"it could not be published. The last good rows are untouched; {error}."
        remedy = "If the raw table was altered by hand, undo that, or drop it: the next run makes it anew."
        if error.pgcode and error.pgcode.startswith("54"):  # a limit of the program
            remedy = "It is too wide for the warehouse: leave columns out by INGEST_EXCLUDE_COLUMNS."
        why = self.warehouse.why(table, error)
        return f"it could not be published ({why}). The last good rows are untouched. {remedy}"

    def _tidy(self, published: list[Table]) -> None:
        """What follows publication; a failure here takes nothing back, and the next landing tidies again."""
        try:
            for table in published:
                self.warehouse.analyze(table)
            self.warehouse.drop_staging()
        except (WarehouseUnavailable, psycopg2.Error) as error:
            log.warning("Everything is published; cleaning up was not possible (%s).", type(error).__name__)

    def _record(self, table: Table, run: Run, change: Change) -> None:
        report, reading = self._report(table), self.readings[table]
        report.cast_exceptions = self.warehouse.exceptions(table)
        load_ids = ",".join(self.load_ids.get(table.name, []))
        self.warehouse.record_table(run, table, change, reading.totals, report.cast_exceptions, load_ids)
        if reading.left_out:
            return
        if reading.partial is not True:
            self.warehouse.record_state(table, reading.new_state)
        elif change.inserted or change.updated:  # the digests are of what the rows were before
            known = self.states[table.name]
            self.warehouse.record_state(table, State(known.row_count, [], known.compared_at))

    def _report(self, table: Table) -> TableReport:
        return self.reports[table.source.name]
