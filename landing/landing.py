"""One landing: read -> loaded -> publish. The caller copies the files in between."""

import contextlib
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
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from landing import drift
from landing.columns import SourceTable, TablePlan
from landing.drift import DriftVerdict, KnownColumn
from landing.files import CopyResult, RowFile
from landing.mysql.connection import MySqlSource, TableUnreadable
from landing.mysql.types import holds
from landing.parts import NewerRows
from landing.plan import Planner
from landing.reading.context import ReadContext, TableRead
from landing.reading.table import read_table
from landing.records import ChangeCounts, LandingRun, TableState
from landing.report import LandingReport, TableReport
from landing.settings import Settings, SettingsError
from landing.steps import reached
from landing.warehouse import queries
from landing.warehouse.postgres import Postgres
from landing.warehouse.protocol import NotPublished, Warehouse
from landing.warehouse.redshift import Redshift
from landing.warehouse.session import WarehouseUnavailable, explain

log = logging.getLogger("landing")

_ANALYZED_FROM = 10
"""A table is analyzed if one row of so many changed."""


@contextlib.contextmanager
def open_landing(settings: Settings) -> Iterator["Landing"]:
    """Take the lock, open MySQL's snapshot and plan. At the end, close everything and remove the files.

    Raises:
        SourceUnavailable: MySQL cannot be reached or went away. Rows published before are untouched.
        WarehouseUnavailable: the same for the warehouse.
        AnotherLanding: one into the same schema is running.
        SettingsError: ``AS_OF`` lies before the last landing, a pattern fits nothing in the source, or the raw schema
            holds another source.
    """
    reached("connecting")
    warehouse: Warehouse = Redshift(settings) if settings.warehouse == "redshift" else Postgres(settings)
    landing: Landing | None = None
    folder: Path | None = None
    try:
        folder = _work_folder(settings)
        landing = Landing(settings, warehouse, folder)
        yield landing
    except psycopg2.Error as error:
        raise WarehouseUnavailable(explain(error, settings)) from None
    finally:
        if landing:
            landing.close()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        warehouse.close()


def _work_folder(settings: Settings) -> Path:
    """Make a new private folder. Our folders of killed landings are removed."""
    settings.work_folder.mkdir(parents=True, exist_ok=True)
    for left in settings.work_folder.glob(f"{settings.work_prefix}*"):
        if left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=settings.work_prefix, dir=settings.work_folder))


class Landing:
    """One landing, in four steps.

    1. The landing is made: records of the last landing are read, tables are planned, drift is judged.
    2. ``read`` yields finished files while MySQL sends on.
    3. The caller copies them and reports them by ``loaded``.
    4. ``publish`` verifies the arrived rows and makes all tables visible at one moment.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse, folder: Path):
        self.settings = settings
        self.warehouse = warehouse
        self.records = warehouse.records
        self.folder = folder
        """For the landing's files and those of the caller. Removed when the landing is closed."""
        self.started_at = datetime.datetime.now(datetime.timezone.utc)
        self._clock = time.monotonic()
        self._reports: dict[str, TableReport] = {}
        self._reads: dict[TablePlan, TableRead] = {}
        """The tables read to their end."""
        self._verdicts: dict[str, DriftVerdict] = {}
        self._load_ids: dict[str, list[str]] = {}
        self._forgotten: dict[str, str] = {}
        """Raw tables no longer followed, each with the raw table in its place, or nothing."""
        self._read_files: queue.Queue[RowFile | BaseException | None] = queue.Queue()
        self._reader: threading.Thread | None = None
        warehouse.prepare()
        reached("prepared")
        self.loaded_at = self._loaded_at()
        self._states = self.records.states()
        suppressions = self.records.suppressions()
        self._source = MySqlSource(settings, self.records.log_position())
        self._planner = Planner(self._source, warehouse, settings, suppressions)
        try:
            if other := self.records.other_source(self._source.capitals_count):
                raise SettingsError(f"{settings.raw_schema} holds the tables of {other}. Nothing was read.")
            self._tables = self._plan()
        except BaseException:
            self._source.close()
            raise
        self._context = ReadContext(
            settings,
            self._source,
            warehouse,
            folder,
            self._read_files.put,
            self._source.changes,
            self._states,
            self._verdicts,
            self.loaded_at,
            self._clock_stands,
        )
        reached("planned")

    def close(self) -> None:
        """End the reader, if it has not ended, and the connection to MySQL."""
        if self._reader and self._reader.is_alive():
            self._source.abort()  # else it would wait for rows nobody needs
            self._reader.join()
        self._source.close()

    def _loaded_at(self) -> datetime.datetime:
        """The clock of this landing. It is later than the last landing's, so a row's time names the landing."""
        last = self.records.last_loaded_at()
        now = self.settings.as_of or self.started_at
        if last and now < last and self.settings.as_of:
            raise SettingsError(f"AS_OF={now.isoformat()} is before the last landing, {last.isoformat()}.")
        self._clock_stands = bool(last and now < last)
        """Whether the last landing is dated later than now."""
        if self._clock_stands:
            log.warning("The last landing is dated %s, later than now; until then each compares whole tables.", last)
        return max(now, last + datetime.timedelta(microseconds=1)) if last else now

    def _plan(self) -> list[TablePlan]:
        """Plan the tables and judge their drift. Returns the tables to read."""
        found = self._source.tables()
        plans, refused = self._planner.tables(found)
        for name, reason in refused.items():
            self._reports[name] = TableReport(name, reason=reason)
        known, taken = self.records.known_columns(self.warehouse.present_columns()), self.warehouse.relations()
        followed = {columns[0].source_table: name for name, columns in known.items()}
        views = {table.name for table in found if table.is_view}
        columns = [f"{table.name}.{column.name}" for table in found for column in table.columns]
        self.settings.check_patterns({table.name for table in found} - views | followed.keys(), views, columns)
        self._judge_vanished(known, followed, found, plans)
        accepted = []
        for table in plans:
            verdict = self._verdicts[table.name] = drift.judge(table, known.get(table.name, []), holds)
            if verdict.is_new and table.name in taken:
                verdict.breaking.append(f"{table.name} is there already, and no landing follows it")
            if (old_name := followed.get(table.source.name, table.name)) != table.name:
                verdict.breaking.append(f"it landed as {old_name} before, whose rows stay and are not followed")
            report = self._reports[table.source.name] = TableReport(table.source.name, table.name)
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
                self._forgotten[old_name] = table.name
            accepted.append(table)
        return accepted

    def _judge_vanished(
        self,
        known: dict[str, list[KnownColumn]],
        followed: dict[str, str],
        found: list[SourceTable],
        plans: list[TablePlan],
    ) -> None:
        views = {table.name for table in found if table.is_view}
        may_land = {table.name for table in found if self.settings.with_views or not table.is_view}
        new = [table for table in plans if table.source.name not in followed]
        for source_table, reason in drift.vanished(filter(self.settings.wants, followed), may_land, views).items():
            report, name = TableReport(source_table), followed[source_table]
            self._reports[source_table] = report
            if renamed := [table.source.name for table in new if drift.may_be(table, known[name])]:
                reason += f" (renamed to {' or '.join(renamed)}?)"
            if self.settings.accept_drift:
                successor = name if any(table.name == name for table in plans) else ""
                self._forgotten[name] = successor
                kept = f"{self.settings.raw_schema}.{name}"
                fate = f"another table lands as {name} now" if successor else f"its last rows stay in {kept}"
                report.status, report.notes = "let go", [f"{reason}: {fate}, and it is not followed any more"]
            else:
                report.reason = f"{reason}. The last good rows are untouched; to stop following it: --accept-drift."

    # from MySQL into files, and the files into the arrival schema

    def read(self) -> Iterator[list[RowFile]]:
        """Yield finished files of rows, all at hand each time. A thread reads on while they are copied.

        Raises:
            SourceUnavailable: MySQL went away.
        """
        self._reader = threading.Thread(target=self._read_tables, daemon=True)
        self._reader.start()
        ended = False
        while not ended:
            files: list[RowFile] = []
            while not ended and not (files and self._read_files.empty()):
                item = self._read_files.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    ended = True
                else:
                    files.append(item)
            if files:
                yield files
        self._reader.join()
        self._source.close()  # nothing more is asked, and its snapshot costs MySQL old row versions

    def loaded(self, result: CopyResult) -> None:
        """Take note of copied and refused files."""
        reached("files loaded")
        self.warehouse.check()
        for file in result.files:
            report = self._report(file.table)
            ids = self._load_ids.setdefault(file.table.name, [])
            ids += [] if result.load_id in ids else [result.load_id]
            if file.table.arrival_name in result.refused:
                report.status, report.reason = "failed", result.refused[file.table.arrival_name]

    def _read_tables(self) -> None:
        """The reading thread. It hands over files, then None; or the error."""
        try:
            for table in self._tables:
                try:
                    self._read_table(table)
                except TableUnreadable as error:
                    self._report(table).reason = f"it could not be read: {error}"
                except psycopg2.Error as error:
                    self._report(table).reason = f"it could not be staged ({self.warehouse.why(table, error)})"
            reached("all read")
            self._read_files.put(None)
        except BaseException as error:  # handed to the main thread, which raises it
            self._read_files.put(error)

    def _read_table(self, table: TablePlan) -> None:
        started = time.monotonic()
        self._source.check_held(table.source.name)
        read, select_hash = read_table(self._context, table), self._context.select_hash(table)
        if read is None:  # a NUL or surrogate among its texts: once more, with every text checked
            table = self._planner.table(table.source, table.name, check_texts=True)
            read = read_table(self._context, table)
            assert read
        position = self._source.changes.position
        state = dataclasses.replace(read.state, select_hash=select_hash, log_position=position)
        self._reads[table], report = dataclasses.replace(read, state=state), self._report(table)
        report.rows, report.loaded = state.row_count, read.loaded.rows
        report.checksum = read.sent.checksum if read.sent else None
        if not report.reason:  # else a part of it was refused already
            report.status = "unchanged" if read.unchanged else "staged"
        rows = f"{read.loaded.rows:,} of {report.rows:,}" if read.sent is None else f"{report.rows:,}"
        log.info("read %-30s %20s rows %7.1f s", table.source.name, rows, time.monotonic() - started)

    # verify, publish

    def publish(self) -> LandingReport:
        """Verify the arrived rows, and make all verified tables and their records visible at one moment.

        Raises:
            WarehouseUnavailable: nothing, or everything, was published.
        """
        arrived = [table for table in self._reads if self._report(table).status != "failed"]
        unchanged = [table for table in arrived if self._report(table).status == "unchanged"]
        changed = [table for table in arrived if self._report(table).status != "unchanged" and self._verified(table)]
        report = self._publish(changed, unchanged)
        self._tidy([table for table in changed if self._report(table).status == "landed"])
        return report

    def _verified(self, table: TablePlan) -> bool:
        """Whether exactly the loaded rows arrived. If not, the table's report says why."""
        report, read = self._report(table), self._reads[table]
        session = self.warehouse.session
        reached("verifying", table.name)
        try:
            arrived = self.warehouse.arrived(table)
        except psycopg2.Error as error:
            report.status = "failed"
            why = self.warehouse.why(table, error)
            report.reason = f"what arrived could not be read ({why}). The last good rows are untouched."
            return False
        if arrived != read.loaded:
            report.status = "failed"
            report.reason = (
                f"{read.loaded} were loaded, {arrived} arrived. The last good rows are untouched; run again."
            )
        elif isinstance(read.part, NewerRows) and (
            queries.has_empty_key(session, table) or queries.has_repeated_key(session, table)
        ):
            report.status = "failed"
            report.reason = (
                "a key could not be held, or is that of several rows, so changes cannot be found: take it out of"
                " INGEST_INCREMENTAL"
            )
        elif self.settings.strict and (exceptions := queries.arrived_exceptions(session, table)):
            report.status = "failed"
            report.reason = f"{exceptions} rows hold a value that their warehouse type cannot, and that is --strict"
        reached("verified", table.name)
        return report.status != "failed"

    def _publish(self, changed: list[TablePlan], unchanged: list[TablePlan]) -> LandingReport:
        """Publish without the refused tables: try again with one table less until the transaction commits."""
        run = LandingRun(str(uuid.uuid4()), self.started_at, self.loaded_at)
        remaining, changes = list(changed), None
        while changes is None:
            changes = self._try_to_publish(remaining, unchanged, run)
        for table, change in changes.items():
            report = self._report(table)
            report.status = "landed"
            report.inserted, report.updated, report.deleted = change.inserted, change.updated, change.deleted
            report.notes += [change.note] if change.note else []
        failed = any(report.status == "failed" for report in self._reports.values())
        return LandingReport(
            run_id=run.id,
            loaded_at=self.loaded_at.isoformat(),
            source_database=self.settings.database,
            raw_schema=self.settings.raw_schema,
            status="failed" if failed else "ok",
            seconds=round(time.monotonic() - self._clock, 3),
            log=self._source.changes.why_not,
            log_position=self._source.changes.position,
            tables=sorted(self._reports.values(), key=lambda report: report.source_table),
        )

    def _try_to_publish(
        self, remaining: list[TablePlan], unchanged: list[TablePlan], run: LandingRun
    ) -> dict[TablePlan, ChangeCounts] | None:
        """The changes of each table. If the warehouse refuses one, None, and ``remaining`` is one table shorter."""
        warehouse, changes = self.warehouse, {}
        warehouse.begin()
        reached("transaction begun")
        published = {"", *(table.name for table in remaining)}
        for name, successor in self._forgotten.items():
            if successor in published:
                self.records.forget(name)
        for table in remaining:
            verdict, read = self._verdicts[table.name], self._reads[table]
            reached("publishing", table.name)
            try:
                changes[table] = warehouse.publish(table, verdict, run, read.part, read.loaded.rows)
                self._record(table, run, changes[table])
                self.records.record_columns(table)
            except (NotPublished, psycopg2.Error) as error:
                warehouse.session.rollback()
                remaining.remove(table)
                report = self._report(table)
                report.status, report.reason = "failed", self._why_not_published(table, error)
                return None
            reached("published", table.name)
        for table in unchanged:
            self._record(table, run, ChangeCounts(0, 0, 0))
            if self._verdicts[table.name].notes:  # changes of its definition are known from now on
                self.records.record_columns(table)
        self.records.record_run(run, self._source.changes.position)
        reached("committing")
        warehouse.commit()
        reached("committed")
        return changes

    def _why_not_published(self, table: TablePlan, error: NotPublished | psycopg2.Error) -> str:
        if isinstance(error, NotPublished):
            return f"it could not be published. The last good rows are untouched; {error}."
        if error.pgcode == "42501" and "temporary tables" in str(error):
            login = self.settings.login
            return (
                "it could not be published: the warehouse lets the landing make no temporary table. GRANT TEMPORARY ON"
                f" DATABASE {login['dbname']} TO {login['user']}. The last good rows are untouched."
            )
        remedy = "If the raw table was altered by hand, undo that, or drop it: the next run makes it anew."
        if error.pgcode and error.pgcode.startswith("54"):  # a limit of the program
            remedy = "It is too wide for the warehouse: leave columns out by INGEST_EXCLUDE_COLUMNS."
        why = self.warehouse.why(table, error)
        return f"it could not be published ({why}). The last good rows are untouched. {remedy}"

    def _tidy(self, published: list[TablePlan]) -> None:
        """Analyze tables and drop arrivals. A failure here takes nothing back; the next landing tidies again."""
        try:
            for table in published:
                report = self._report(table)
                if (report.inserted + report.updated + report.deleted) * _ANALYZED_FROM >= report.rows:
                    queries.analyze(self.warehouse.session, table)
                    reached("analyzed", table.name)
            reached("tidying")
            queries.drop_arrivals(self.warehouse.session)
            reached("tidied")
        except (WarehouseUnavailable, psycopg2.Error) as error:
            log.warning("Everything is published; cleaning up was not possible (%s).", type(error).__name__)

    def _record(self, table: TablePlan, run: LandingRun, change: ChangeCounts) -> None:
        report, read = self._report(table), self._reads[table]
        report.cast_exceptions = self.records.exceptions(table)
        load_ids = ",".join(self._load_ids.get(table.name, []))
        report.rows = read.sent.rows if read.sent else read.state.row_count + change.inserted - change.deleted
        self.records.record_table(run, table, change, report.rows, report.checksum, report.cast_exceptions, load_ids)
        if read.sent is None and read.unchanged:
            self.records.record_position([table.name], self._source.changes.position)
        elif not isinstance(read.part, NewerRows):
            self.records.record_state(table, dataclasses.replace(read.state, row_count=report.rows))
        elif change.inserted or change.updated:  # the digests are of what the rows were before
            known = self._states[table.name]
            self.records.record_state(table, TableState(known.row_count, [], known.compared_at))

    def _report(self, table: TablePlan) -> TableReport:
        return self._reports[table.source.name]
