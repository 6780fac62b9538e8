"""How fast the landing and the build are, against a floor measured in the same run.

They use a sandbox of their own, ``.sandbox/bench``, and never the servers that the environment or ``.env`` names:
importing this package says so to ``sandbox``, which reads its folder when it is imported. Python programs start from
compiled modules, as those do that have run before, also where the environment forbids to write any.
"""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".sandbox" / "bench"

for _name in [name for name in os.environ if name.startswith(("MYSQL_", "PG", "INGEST_", "DBT_", "AS_OF"))]:
    del os.environ[_name]
os.environ["SANDBOX_FOLDER"] = str(FOLDER)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(FOLDER / "pycache")
