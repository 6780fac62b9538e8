"""Land MySQL tables, exactly, in the warehouse: ``python -m ingestion --help``."""

import argparse
import dataclasses
import io
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from ingestion.follow import follow
from ingestion.mysql import land
from landing.files import CopyUnavailable
from landing.mysql.connection import SourceUnavailable
from landing.report import LandingReport, summary
from landing.settings import SettingsError, from_environment, words
from landing.warehouse.session import AnotherLanding, WarehouseUnavailable, explain_disk

DESCRIPTION = """\
Land every table of MYSQL_DATABASE in the warehouse schema raw_<database>: one consistent snapshot, verified row by
row, published in one transaction. Servers, passwords and what to leave out come from the environment; .env.example
lists the variables."""
EXIT = """exit code: 0 all tables landed; 1 at least one did not, the others did; 2 wrong usage or settings;
3 a server or a disk is not available, nothing was published; 130 or 143 stopped by SIGINT or SIGTERM."""


class _Stopped(BaseException):
    """SIGINT or SIGTERM arrived."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ingestion",
        description=DESCRIPTION,
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tables", metavar="PATTERNS", help="only these, comma-separated (order*); default: all")
    parser.add_argument("--report", metavar="FILE", type=Path, help="write what was done, as JSON")
    parser.add_argument("--strict", action="store_true", help="a value the warehouse cannot hold fails its table")
    parser.add_argument("--accept-drift", action="store_true", help="rebuild raw tables whose definition changed")
    parser.add_argument("--full", action="store_true", help="compare every row, also where nothing seems changed")
    parser.add_argument(
        "--follow", action="store_true", help="go on: land each change as soon as the binary log has it"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each table that is read")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        format="%(message)s", level=logging.WARNING if options.quiet or options.follow else logging.INFO, force=True
    )
    if options.report and (options.report.is_dir() or not os.access(options.report.absolute().parent, os.W_OK)):
        parser.error(f"--report {options.report}: it cannot be written there")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a table's name may be more than the terminal can show
        sys.stdout.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGTERM, _stop)
    try:
        code, result = _land(options)
        if options.report:
            _write(options.report, result)
    except _Stopped as stopped:
        number = stopped.args[0]
        error = f"stopped by {signal.Signals(number).name}. Every raw table is as the last landing left it; run again."
        code, result = 128 + number, {"status": "failed", "error": error}
        if options.report:
            _write(options.report, result)
    if "error" in result:
        print(f"error: {result['error']}", file=sys.stderr)
    return code


def _land(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """The exit code and the report: of a landing, or of the reason for none."""
    try:
        settings = from_environment(
            include=words(options.tables) or None,
            strict=options.strict,
            accept_drift=options.accept_drift,
            full_compare=options.full,
        )
        if options.follow:
            follow(settings, _say)
        report = land(settings)
    except SettingsError as error:
        return 2, {"status": "failed", "error": str(error)}
    except (SourceUnavailable, WarehouseUnavailable, CopyUnavailable, AnotherLanding) as error:
        return 3, {"status": "failed", "error": str(error)}
    except OSError as error:  # of the work folder; those of the connections have names of their own
        return 3, {"status": "failed", "error": explain_disk(error, settings)}
    print(summary(report))
    return 0 if report.status == "ok" else 1, dataclasses.asdict(report)


def _say(report: LandingReport) -> None:
    """A line for a landing that changed something, and the reasons of tables that did not land."""
    changed = [table for table in report.tables if table.inserted or table.updated or table.deleted]
    counts = ", ".join(f"{t.source_table} +{t.inserted} ~{t.updated} -{t.deleted}" for t in changed)
    reasons = [f"error: {t.source_table}: {t.reason}" for t in report.tables if t.status == "failed"]
    reasons += [f"All rows were read: {report.log}."] if report.log else []
    if counts or reasons:
        print("\n".join([f"{report.loaded_at[:23]} {report.seconds:6.2f} s  {counts or '-'}", *reasons]), flush=True)


def _write(path: Path, report: dict[str, Any]) -> None:
    """Replace the report in one step: it is of one run, and whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def _stop(number: int, _frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise _Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
