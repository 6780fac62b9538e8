"""Importing this package says which sandbox ``sandbox`` uses, so it comes first: not the servers of who runs the tests."""

import datetime
import os
from pathlib import Path

for name in [name for name in os.environ if name.startswith(("MYSQL_", "PG", "INGEST_", "DBT_", "AS_OF"))]:
    del os.environ[name]
folder = Path(os.environ.get("SANDBOX_FOLDER") or Path(__file__).resolve().parent.parent / ".sandbox" / "test")
worker = os.environ.get("PYTEST_XDIST_WORKER", folder.name)  # pytest-xdist: each has servers of its own
os.environ["SANDBOX_FOLDER"] = str(folder if folder.name == worker else folder / worker)

os.environ.setdefault("TEST_SEED", f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d}")
SEED = int(os.environ["TEST_SEED"])
"""Of what is drawn anew every day: walks and mutants. Workers of pytest-xdist inherit it."""
