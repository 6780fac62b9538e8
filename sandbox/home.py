"""The folders of the sandbox, and the account of its servers.

Postgres refuses to run as root. Started by root, both servers run as ``nobody``, in a folder within its
reach: ``.sandbox/`` if possible, else one under ``/var/tmp``, named after the project's path.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from landing.environment import SettingsError, complete
from landing.names import raw_schema

PROJECT = Path(__file__).resolve().parent.parent
SANDBOX = Path(os.environ.get("SANDBOX_FOLDER") or PROJECT / ".sandbox").resolve()
ENV_FILE = SANDBOX / "env"
_STATE_FILE = SANDBOX / "state.json"
_LOGINS = {
    "MYSQL_HOST": ("MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
    "PGHOST": ("PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "INGEST_USER", "INGEST_PASSWORD")
    + ("DBT_USER", "DBT_PASSWORD"),
}
"""For each server, the variables that mean nothing for the sandbox's own: it has a port and logins of its own."""


class SandboxError(Exception):
    """A failure and its remedy, in words for the person at the keyboard."""


def server_account() -> str | None:
    """The unprivileged account of the servers if we are root; None if we are not."""
    return "nobody" if os.geteuid() == 0 else None


def servers_home() -> Path:
    """The folder of the servers' data, reachable by the account they run as."""
    if server_account() is None or reachable(SANDBOX):
        return SANDBOX
    return Path("/var/tmp") / f"sandbox-{hashlib.sha256(str(SANDBOX).encode()).hexdigest()[:12]}"


def reachable(path: Path) -> bool:
    """Whether any account may pass through ``path`` and every folder above it."""
    return all(not folder.exists() or folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def open_to_all(folder: Path) -> None:
    """Let any account read ``folder``, and run the programs that its owner may run."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))


def make_server_folder(name: str) -> Path:
    """An empty private folder for one server, owned by the account it runs as."""
    home = servers_home()
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    if home.stat().st_uid != os.geteuid():
        raise SandboxError(f"{home} belongs to another user; remove it and try again.")
    home.chmod(0o755)
    folder = home / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    account = server_account()
    if account:
        entry = pwd.getpwnam(account)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def write_private(path: Path, text: str, *, for_server: bool = False) -> None:
    """Replace a file with ``text`` in one step; only its owner can read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    account = server_account()
    if for_server and account:
        os.chown(draft, pwd.getpwnam(account).pw_uid, -1)
    draft.replace(path)


def as_server_account() -> dict[str, Any]:
    """Arguments for ``subprocess`` that run a command as the servers' account, off the terminal."""
    account = server_account()
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "start_new_session": True, "umask": 0o077}
    if account:
        options |= {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}
    return options


def run_as_server_account(command: Sequence[str | Path], folder: Path, log: Path, what: str) -> None:
    """Run a server's own tool in ``folder`` to its end, its output going to ``log``.

    Raises:
        SandboxError: the tool failed. Carries the last lines of the log.
    """
    with log.open("ab") as output:
        result = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False, **as_server_account())
    if result.returncode:
        raise SandboxError(f"{what} failed (exit {result.returncode}). {log} ends:\n{tail(log)}")


def tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def free_port(wanted: int | None = None) -> int:
    """``wanted`` if nothing listens there on the loopback address, else any free port."""
    for port in (wanted, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise SandboxError("No free port on 127.0.0.1.")


def read_state() -> dict[str, Any]:
    """The sandbox's memory: ports and passwords per server, and the data that was loaded."""
    if not _STATE_FILE.exists():
        return {}
    state: dict[str, Any] = json.loads(_STATE_FILE.read_text(encoding="utf-8"))
    return state


def update_state(**changes: Any) -> None:
    write_private(_STATE_FILE, json.dumps(read_state() | changes, indent=1))


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one command at a time start, stop or load."""
    SANDBOX.mkdir(mode=0o755, exist_ok=True)
    with (SANDBOX / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parse_env(text: str) -> dict[str, str]:
    """The ``KEY=value`` lines of a file; values are literal, comments and blank lines are skipped.

    Raises:
        SandboxError: a line is anything else. Names the line's number, never its text.
    """
    settings = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.partition("=")
            if not equals or not name.strip().isidentifier():
                raise SandboxError(f".env, line {number}: write NAME=value, without `export`.")
            settings[name.strip()] = value.strip()
    return settings


def given() -> dict[str, str]:
    """The settings from outside the sandbox: the process environment over ``.env``."""
    own, found = _read_env(ENV_FILE), {key: value for key, value in os.environ.items() if value}
    if own.items() <= found.items():  # somebody has read the sandbox's own file
        found = {key: value for key, value in found.items() if key not in own}
    said_twice = {f"{name}_FILE" for name in found} | {name.removesuffix("_FILE") for name in found}
    return {key: value for key, value in _read_env(PROJECT / ".env").items() if key not in said_twice} | found


def environment() -> dict[str, str]:
    """The settings in force, secrets read from their files. A server named outside is taken whole from there.

    Raises:
        SandboxError: a file cannot be read.
    """
    settings = _completed(given())
    named = tuple(prefix for prefix, host in (("MYSQL_", "MYSQL_HOST"), ("PG", "PGHOST")) if settings.get(host))
    own = {key: value for key, value in _read_env(ENV_FILE).items() if not key.startswith(named)}
    logins = {*_LOGINS, *(name for names in _LOGINS.values() for name in names)}
    found = own | settings | {key: value for key, value in own.items() if key in logins}
    return {"DBT_RAW_SCHEMA": raw_schema(found.get("MYSQL_DATABASE", "classicmodels"))} | found


def refuse_half_a_server(own: Mapping[str, str]) -> None:
    """Raise ``SandboxError`` for a setting of a server that is not named, unless it says what ``own`` says."""
    settings = _completed(given())
    for host, names in _LOGINS.items():
        wrong = [name for name in names if host in own and settings.get(name, "") not in ("", own[name])]
        if wrong:
            raise SandboxError(
                f"{', '.join(wrong)} set, and {host} is not: the sandbox's own server goes by its own port, database"
                f" and logins. Name your server in {host}, or take the rest out of the environment and .env."
            )


def _completed(settings: Mapping[str, str]) -> dict[str, str]:
    try:
        return complete(settings)
    except SettingsError as error:
        raise SandboxError(str(error)) from None


def forget_leftovers() -> None:
    """Take libpq's settings for another server, such as PGSSLMODE, out of this process if PGHOST names none."""
    if not given().get("PGHOST"):
        own = {*_read_env(ENV_FILE), *_LOGINS["PGHOST"], *(f"{name}_FILE" for name in _LOGINS["PGHOST"])}
        for name in [name for name in os.environ if name.startswith("PG") and name not in own]:
            del os.environ[name]


def _read_env(path: Path) -> dict[str, str]:
    try:
        return parse_env(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
    except UnicodeDecodeError:
        raise SandboxError(f"{path} is not UTF-8: save it as such.") from None
