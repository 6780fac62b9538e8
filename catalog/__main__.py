"""The command line of the docs site: ``python -m catalog --help``."""

import argparse
import os
import sys
from pathlib import Path

import psycopg2

from catalog import site
from catalog.lineage import LineageError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m catalog",
        description="Write the docs site from the artifacts of dbt docs generate --static in DBT_TARGET_PATH (default: "
        "target) and the warehouse's records. `make docs` does both.",
        epilog="exit code: 0 written; 1 artifacts are missing or incomplete, or the warehouse is not available; 2 "
        "wrong usage.",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=site.SITE, help="of the pages (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        print(f"The docs are in {site.write(Path(os.environ.get('DBT_TARGET_PATH') or 'target'), options.folder)}.")
    except FileNotFoundError as error:
        print(f"error: {error.filename} is not there: run dbt docs generate --static first.", file=sys.stderr)
        return 1
    except (LineageError, psycopg2.OperationalError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
