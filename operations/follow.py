"""Follow MySQL, with the operational marts some seconds behind: ``make follow``.

This process lands (``ingestion.follow``). A second one keeps dbt's project in memory. Of the models on the tables that
changed, it builds those that ``FOLLOW_MARTS`` selects, with their tests. Every ``FOLLOW_WHOLE_MINUTES`` it builds all.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from ingestion.follow import follow as follow_log
from landing.environment import SettingsError
from landing.report import LandingReport
from landing.settings import from_environment
from landing.warehouse.session import AnotherLanding
from operations import records
from operations.night import setting

_MARTS = "+fct_order_lines +dim_* +exposure:stock_monitor"
_TARGET = "target/follow"


def follow() -> int:
    """Until it is stopped. The exit code: 2 wrong settings, 4 somebody follows already, 130 or 143 stopped."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    builder = _Builder()
    try:
        follow_log(from_environment(), builder.landed)
    except KeyboardInterrupt as stopped:
        return 128 + int(stopped.args[0])
    except (SettingsError, AnotherLanding) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 4
    return 0


class _Builder:
    """The process with dbt. It is started again if it ends."""

    def __init__(self) -> None:
        self._marts = (os.environ.get("FOLLOW_MARTS") or _MARTS).split()
        self._minutes = setting("FOLLOW_WHOLE_MINUTES", 60)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        inbox, self._outbox = context.Pipe(duplex=False)
        self._process = context.Process(target=_build, args=(inbox, self._marts, self._minutes), daemon=True)
        self._process.start()
        inbox.close()

    def landed(self, report: LandingReport) -> None:
        changed = [table for table in report.tables if table.inserted or table.updated or table.deleted]
        for table in report.tables:
            if table.status == "failed":
                print(f"error: {table.source_table}: {table.reason}", file=sys.stderr, flush=True)
        if report.log:
            print(f"All rows were read: {report.log}.", flush=True)
        if not self._process.is_alive():
            print("The process that builds has ended; another one begins.", file=sys.stderr, flush=True)
            self._start()
        if changed:
            self._outbox.send([str(table.table) for table in changed])


def _build(inbox: Connection, marts: list[str], minutes: int) -> None:
    """The second process. It ends with the other one, at once: dbt cancels its statements."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the other process sends its own
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt, EOFError):
        _build_after(inbox, marts, minutes)


def _build_after(inbox: Connection, marts: list[str], minutes: int) -> None:
    from dbt.cli.main import dbtRunner

    quiet = ["--log-level", "none", "--target-path", _TARGET]
    project: Any = dbtRunner().invoke(["parse", *quiet]).result
    moving = [
        node.name
        for node in project.nodes.values()
        if node.resource_type == "test" and len(node.depends_on.nodes) > 1 and any(map(_moves, node.depends_on.nodes))
    ]
    left, whole_at = set[str](), time.monotonic() + 60 * minutes
    while True:
        arrived = inbox.poll(max(0.0, whole_at - time.monotonic()) if minutes else None)
        while arrived:
            left |= set(inbox.recv())
            arrived = inbox.poll()
        is_whole = minutes > 0 and time.monotonic() >= whole_at
        selected = [f"source:classicmodels.{table}+,{mart}" for table in sorted(left) for mart in marts]
        part = ["--select", *selected, "--exclude", *moving, "--indirect-selection", "buildable"]
        words = ["build", "--exclude-resource-type", "unit_test", *([] if is_whole else part)]
        started, what = time.monotonic(), "all" if is_whole else ", ".join(sorted(left))
        with records.raw_tables_stand_still() if is_whole else contextlib.nullcontext():
            result = dbtRunner(project).invoke([*words, *quiet])
        failed = [r.node.name for r in getattr(result.result, "results", ()) if r.status in ("error", "fail")]
        verdict = "ok" if result.success else f"FAILED: {', '.join(failed[:5]) or type(result.exception).__name__}"
        print(f"built after {what}: {time.monotonic() - started:.1f} s, {verdict}", flush=True)
        if result.success:  # else the next build takes the same tables, too
            left.clear()
        whole_at = time.monotonic() + 60 * minutes if is_whole else whole_at


def _moves(unique_id: str) -> bool:
    """Whether a landing changes it at once: then a test that holds it against a mart has to wait for a whole build."""
    return unique_id.startswith("source.") or unique_id.split(".")[-1].startswith("stg_")


def _stop(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise KeyboardInterrupt(number)
