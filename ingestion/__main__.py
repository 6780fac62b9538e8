"""Land MySQL tables, exactly, in the warehouse: ``python -m ingestion --help``."""

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

from ingestion.landing import Report, land
from ingestion.settings import SettingsError, from_environment
from ingestion.source import SourceUnavailable
from ingestion.stage import StageUnavailable
from ingestion.warehouse import AnotherLanding, WarehouseUnavailable

DESCRIPTION = """\
Land every table of MYSQL_DATABASE in the warehouse schema raw_<database>: one consistent snapshot, verified row by
row, published in one transaction. Servers, passwords and what to leave out come from the environment; .env.example
lists the variables."""
EXIT = """exit code: 0 all tables landed; 1 at least one did not, the others did; 2 wrong usage or settings;
3 a server is not available, nothing was published."""


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
    parser.add_argument("--accept-drift", action="store_true", help="rebuild raw tables whose source definition changed")
    parser.add_argument("--full", action="store_true", help="compare every row, even where nothing seems to have changed")
    parser.add_argument("--quiet", action="store_true", help="only errors and the closing line")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING if options.quiet else logging.INFO, force=True)
    try:
        settings = from_environment(
            include=tuple(options.tables.split(",")) if options.tables else None,
            strict=options.strict,
            accept_drift=options.accept_drift,
            full_compare=options.full,
        )
        report = land(settings)
    except SettingsError as error:
        return _fail(error, 2)
    except (SourceUnavailable, WarehouseUnavailable, StageUnavailable, AnotherLanding) as error:
        return _fail(error, 3)
    except OSError as error:
        return _fail(f"{error.strerror or type(error).__name__}. Nothing was published; run again.", 3)
    if options.report:
        options.report.write_text(json.dumps(dataclasses.asdict(report), indent=1) + "\n", encoding="utf-8")
    print(summary(report))
    return 0 if report.status == "ok" else 1


def summary(report: Report) -> str:
    lines = [f"{'table':<30}{'status':>10}{'rows':>12}{'inserted':>11}{'updated':>10}{'deleted':>10}{'exceptions':>12}"]
    for table in report.tables:
        lines.append(
            f"{table.source_table[:29]:<30}{table.status:>10}{table.rows:>12,}{table.inserted:>11,}"
            f"{table.updated:>10,}{table.deleted:>10,}{table.cast_exceptions:>12,}"
        )
    for table in report.tables:
        lines += [f"  {table.source_table}: {note}" for note in table.notes]
        lines += [f"error: {table.source_table}: {table.reason}"] if table.status == "failed" else []
    failed = sum(table.status == "failed" for table in report.tables)
    lines.append(
        f"Landed {len(report.tables) - failed} of {len(report.tables)} tables of {report.source_database} in"
        f" {report.raw_schema}, {report.seconds:.1f} s."
    )
    return "\n".join(lines)


def _fail(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
