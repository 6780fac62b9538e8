"""Look for programs that the Python package index cannot give, before anything is made; runs on a bare Python.

A MySQL-compatible server is needed unless ``MYSQL_HOST`` names one. It is installed with apt-get if root or a
password-free sudo allows; otherwise the message names the command.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SERVERS = ("mariadbd", "mysqld")
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/libexec:/opt/homebrew/bin:/usr/local/bin"
PACKAGES = ["mariadb-server-core", "mariadb-client-core"]
"""The second has ``my_print_defaults``. The first one's installer calls it and does not ask for it."""
ADVICE = """\
No MySQL-compatible server (mariadbd or mysqld) is on this machine, and it cannot be installed from here.
Nothing was changed. Do one of these and run the same command again:

  Debian, Ubuntu    sudo apt-get update && sudo apt-get install mariadb-server-core mariadb-client-core
  macOS             brew install mariadb
  Docker            docker compose up -d --wait, then set MYSQL_HOST and the rest as .env.example shows
  a server of yours set MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.prerequisites",
        description="Look for a MySQL-compatible server, and install it if it is missing; `make setup` begins so.",
        epilog="exit code: 0 it is there, or MYSQL_HOST names one; 1 it is not, or this Python is too old.",
    )
    parser.parse_args()
    if sys.version_info < (3, 10):
        print(f"Python 3.10 to 3.13 is needed; this is {sys.version.split()[0]}. Name another: make PYTHON=python3.12")
        return 1
    dotenv = Path(__file__).resolve().parent.parent / ".env"
    lines = dotenv.read_text("utf-8-sig", "replace").splitlines() if dotenv.exists() else []
    named = any(line.startswith("MYSQL_HOST=") and line.split("=", 1)[1].strip() for line in lines)
    if os.environ.get("MYSQL_HOST") or named or _can_start():
        return 0
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not sudo or _quiet([*sudo, "true"]):
            print(f"Installing {' '.join(PACKAGES)} with apt-get ...", flush=True)
            if _apt([*sudo, "apt-get"]) and _can_start():
                return 0
    print(ADVICE, file=sys.stderr)
    return 1


def find(*names: str) -> "str | None":
    """The first of these programs (default: a server) on PATH or in the usual folders of servers."""
    search = os.environ.get("PATH", "") + ":" + _SYSTEM_FOLDERS
    found = (shutil.which(name, path=search) for name in names or SERVERS)
    return next((path for path in found if path), None)


def _can_start() -> bool:
    """Whether a server is there, and all it needs to make its first database."""
    server = find()
    return server is not None and (Path(server).name != "mariadbd" or find("my_print_defaults") is not None)


def _apt(apt: "list[str]") -> bool:
    install = [*apt, "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    return _quiet(install) or (_quiet([*apt, "update", "-q"]) and _quiet(install))


def _quiet(command: "list[str]") -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return result.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
