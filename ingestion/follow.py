"""Follow MySQL: land as soon as its binary log tells of a change. ``python -m ingestion --follow``.

A thread waits at the end of the log and wakes the main one. A landing then reads what the log names, as any landing
does. All that was committed meanwhile comes with the next one: a batch has whole transactions and grows with the load.
"""

import contextlib
import dataclasses
import datetime
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg2

from ingestion.mysql import Copy, land
from landing.environment import SettingsError
from landing.files import CopyResult, CopyUnavailable, RowFile
from landing.mysql import binlog
from landing.mysql.binlog import LogUnreadable, Position
from landing.mysql.connection import SourceUnavailable
from landing.names import quote
from landing.report import LandingReport
from landing.settings import Settings
from landing.steps import reached
from landing.warehouse.postgres import locked_session
from landing.warehouse.session import AnotherLanding, Session, WarehouseUnavailable, explain, is_of_the_server

_LONGEST_WAIT = 60.0
_LONGEST_BUILD = 86_400
_TIDIED_EVERY = 3600.0
log = logging.getLogger("landing")


def follow(settings: Settings, landed: Callable[[LandingReport], None]) -> None:
    """Land at once and after each change, until the process is stopped. ``landed`` gets the report of each landing.

    A server that is away, or a log that cannot be read any more, is tried again, after a second at first, after a
    minute at last. Between two landings it
    waits for a build that wants its rows to stand still (``locked_session(settings, "build")``).

    Raises:
        SettingsError: a setting fits nothing, the log could never be read, or the warehouse is Redshift.
        AnotherLanding: this database is followed already.
    """
    if settings.warehouse != "postgres":
        raise SettingsError("Following takes Postgres as the warehouse: Redshift is too slow to load every second.")
    waited, was_readable = 0.0, False
    while True:
        try:
            at_once = dataclasses.replace(settings, lock_wait=0)
            with contextlib.closing(locked_session(at_once, "follow")) as session, _Watch(settings) as watch:
                copy, tidied = functools.partial(copy_directly, session), time.monotonic()
                while True:
                    changed_at = watch.next_change()
                    report = _land_between_builds(dataclasses.replace(settings, changed_at=changed_at), copy)
                    if not report.log_position:
                        why = f"The binary log cannot be followed: {report.log or 'INGEST_BINLOG=false'}."
                        raise SourceUnavailable(why) if was_readable else SettingsError(why)
                    was_readable = True
                    watch.begin(report.log_position)
                    landed(report)
                    if time.monotonic() > tidied + _TIDIED_EVERY:
                        _forget_old_landings(session)
                        tidied = time.monotonic()
                    waited = 0.0
        except (SourceUnavailable, WarehouseUnavailable, CopyUnavailable, OSError) as error:
            waited = min(_LONGEST_WAIT, 2 * waited or 1.0)
            log.warning("%s Again in %.0f s.", error, waited)
            time.sleep(waited)


def _land_between_builds(settings: Settings, copy: Copy) -> LandingReport:
    patient = dataclasses.replace(settings, lock_wait=_LONGEST_BUILD)
    with contextlib.closing(locked_session(patient, "build")):
        try:
            return land(settings, copy)
        except AnotherLanding as error:
            raise WarehouseUnavailable(str(error)) from None


class _Watch:
    """A thread at the end of the log. It decodes no row, and only learns that there are some."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._changed_at: datetime.datetime | None = None
        self._lost = ""
        self._thread: threading.Thread | None = None
        self._changed.set()  # the first landing waits for nothing

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def next_change(self) -> datetime.datetime:
        """Wait for a change that no landing has begun with. Returns when it was seen."""
        self._changed.wait()
        if self._lost:
            raise SourceUnavailable(self._lost)
        self._changed.clear()
        seen, self._changed_at = self._changed_at, None
        return seen or datetime.datetime.now(datetime.timezone.utc)

    def begin(self, position: str) -> None:
        """Watch from here on, unless it does so already."""
        if not self._thread:
            start = Position.parse(position.partition(" ")[2])
            self._thread = threading.Thread(target=self._read, args=(start,), daemon=True)
            self._thread.start()

    def _read(self, start: Position) -> None:
        settings, ours = self._settings, self._settings.database.lower()
        number = settings.replication_id ^ 1  # the landings read the log themselves, by the other number
        try:
            for transaction in binlog.read(
                settings.mysql, {}, start, number, wait=True, database=ours, aborted=self._stopped
            ):
                if transaction and (
                    transaction.everything or any(database.lower() == ours for database, _ in transaction.keys)
                ):
                    self._changed_at = self._changed_at or datetime.datetime.now(datetime.timezone.utc)
                    self._changed.set()
        except Exception as error:  # whatever it is, the main thread must hear of it, and waits for this one
            why = str(error) if isinstance(error, LogUnreadable) else type(error).__name__
            self._lost = f"The binary log is lost: {why}."
            self._changed.set()


def copy_directly(session: Session, files: Sequence[RowFile], settings: Settings, _folder: Path) -> CopyResult:
    """Copy files by COPY, then remove them. For a few rows each second dlt is too much."""
    refused: dict[str, str] = {}
    for file in files:
        names = ", ".join(map(quote, file.table.arrival_columns))
        reached("copying file", file.table.arrival_name)
        try:
            with file.path.open("rb") as rows:
                session.cursor.copy_expert(
                    f"copy {session.arrival_table(file.table)} ({names}) from stdin (format csv, header)", rows
                )
            reached("file sent")
        except psycopg2.Error as error:
            if is_of_the_server(error):
                raise CopyUnavailable(explain(error, settings)) from None
            refused[file.table.arrival_name] = f"the warehouse refused it (SQLSTATE {error.pgcode})"
        file.path.unlink()
    return CopyResult(files, "", refused)


def _forget_old_landings(session: Session) -> None:
    """Of the landings of yesterday and before, keep those that were no follower's, and the last one of each day."""
    old = (
        f"select run_id from {session.raw}._landing_runs where changed_at < now() - interval '1 day' and loaded_at not"
        f" in (select max(loaded_at) from {session.raw}._landing_runs group by loaded_at::date)"
    )
    for record in ("_landing_tables", "_landing_runs"):
        session.execute(f"delete from {session.raw}.{record} where run_id in ({old})")
