"""How fast the landing and the build are, against a floor measured in the same run.

They use a sandbox of their own, ``.sandbox/bench``, and never the servers of the environment or of ``.env``. Importing
this package tells ``sandbox``, because that reads its folder on import. Python programs start from compiled modules, as
in any second run. This holds even if the environment forbids Python to write them.
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
