"""``psql`` on the environment's warehouse: for a local host the project's own, as it has no TLS, else this machine's.

``ROLE=analyst`` logs in to the sandbox's own as that role. Without it, the owner logs in.
"""

import os
import shutil
import sys

from ingestion.environment import is_local
from sandbox import home, postgres

if __name__ == "__main__":
    if os.environ.get("ROLE"):
        try:
            os.environ |= postgres.login(os.environ["ROLE"])
        except home.SandboxError as error:
            sys.exit(f"error: {error}")
    own = str(postgres.binaries() / "psql")
    psql = own if is_local(os.environ.get("PGHOST", "")) else shutil.which("psql")
    if psql is None:
        sys.exit(
            "error: a warehouse elsewhere needs a psql that knows TLS: on Debian, apt-get install postgresql-client."
        )
    os.execv(psql, [psql, *sys.argv[1:]])  # noqa: S606
