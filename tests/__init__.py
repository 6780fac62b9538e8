"""Importing this package says which sandbox ``sandbox`` uses, so it comes first: not the servers of who runs the tests."""

import os
from pathlib import Path

for name in [name for name in os.environ if name.startswith(("MYSQL_", "PG", "INGEST_", "DBT_", "AS_OF"))]:
    del os.environ[name]
os.environ.setdefault("SANDBOX_FOLDER", str(Path(__file__).resolve().parent.parent / ".sandbox" / "test"))
