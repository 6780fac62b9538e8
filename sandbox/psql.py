"""``psql`` on the warehouse that the environment names, with the binary the project brings."""

import os
import sys

from sandbox import postgres

if __name__ == "__main__":
    psql = postgres.binaries() / "psql"
    os.execv(psql, [str(psql), *sys.argv[1:]])  # noqa: S606
