"""``psql`` on the warehouse that the environment names, with the binary the project brings.

``ROLE=analyst`` logs in to the sandbox's own as that role, else it is the warehouse's owner.
"""

import os
import sys

from sandbox import home, postgres

if __name__ == "__main__":
    if os.environ.get("ROLE"):
        try:
            os.environ |= postgres.login(os.environ["ROLE"])
        except home.SandboxError as error:
            sys.exit(f"error: {error}")
    psql = postgres.binaries() / "psql"
    os.execv(psql, [str(psql), *sys.argv[1:]])  # noqa: S606
