"""``python -m catalog [folder]``: write the docs site from the artifacts of ``dbt docs generate --static``."""

import os
import sys
from pathlib import Path

import psycopg2

from catalog import site
from catalog.lineage import LineageError

if __name__ == "__main__":
    try:
        target = Path(os.environ.get("DBT_TARGET_PATH") or "target")
        print(f"The docs are in {site.write(target, *map(Path, sys.argv[1:2]))}.")
    except FileNotFoundError as error:
        sys.exit(f"error: {error.filename} is not there: run dbt docs generate --static first.")
    except (LineageError, psycopg2.OperationalError) as error:
        sys.exit(f"error: {error}")
