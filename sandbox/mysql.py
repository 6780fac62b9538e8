"""The private MySQL-compatible server: MariaDB (or MySQL) found on this machine, with its own data folder."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors

from sandbox import home
from sandbox.prerequisites import find

NAME = "mysql"
DATABASE = "classicmodels"
_ADMIN = "sandbox_admin"


def connect(state: dict[str, Any], database: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """A connection of the server's administrator; used to load data and to trade."""
    return pymysql.connect(
        host=state.get("host", "127.0.0.1"),
        port=state["port"],
        user=state.get("admin", _ADMIN),
        password=state["admin_password"],
        database=database,
        local_infile=True,
        connect_timeout=5,
        charset="utf8mb4",
    )


def shell_command(state: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The client's command line as the server's administrator, and the variable with the password."""
    program = find("mariadb", "mysql")
    if program is None:
        raise home.SandboxError("There is no mariadb or mysql client: on Debian, apt-get install mariadb-client-core.")
    words = [program, "--no-defaults", "--protocol=tcp", f"--host={state.get('host', '127.0.0.1')}"]
    words += [f"--port={state['port']}", f"--user={state.get('admin', _ADMIN)}", DATABASE]
    return words, {"MYSQL_PWD": state["admin_password"]}


def running(state: dict[str, Any] | None) -> bool:
    """Whether *our* server answers: another on the same port does not know the password."""
    if not (state and state["port"]):
        return False
    try:
        connect(state).close()
    except (pymysql.Error, OSError):
        return False
    return True


def start() -> dict[str, str]:
    """Start the server if it is not running, creating it the first time; returns the ``MYSQL_*`` variables."""
    state = home.read_state().get(NAME)
    folder = home.servers_home() / NAME
    if not (state and (folder / "data" / "mysql").exists()):
        state = _create()
    if not running(state):
        state = state | {"port": home.free_port(state["port"])}
        home.update_state(mysql=state)
        launch(folder, state)
    return {
        "MYSQL_HOST": "127.0.0.1",
        "MYSQL_PORT": str(state["port"]),
        "MYSQL_USER": "ingest",
        "MYSQL_PASSWORD": state["password"],
        "MYSQL_DATABASE": DATABASE,
    }


def stop() -> bool:
    """Stop the server; False if it was not running."""
    state = home.read_state().get(NAME)
    pid_file = home.servers_home() / NAME / "data" / "server.pid"
    if state is None or not (pid_file.exists() and running(state)):
        return False
    pid = int(pid_file.read_text(encoding="utf-8"))
    with connect(state) as connection, connection.cursor() as cursor:
        cursor.execute("shutdown")
    for _ in range(300):
        if not _alive(pid):
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return True


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # when this very process started it, or it would stay as a zombie
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _server() -> str:
    server = find()
    if server is None:
        raise home.SandboxError("No MySQL-compatible server found; run `make setup`, or set MYSQL_HOST.")
    return server


def _is_mariadb(server: str) -> bool:
    version = subprocess.run([server, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    return "mariadb" in version.stdout.lower()


def _create() -> dict[str, Any]:
    server = _server()
    folder = home.make_server_folder(NAME)
    state = {"port": None, "admin_password": secrets.token_hex(16), "password": secrets.token_hex(16)}
    if _is_mariadb(server):
        install = find("mariadb-install-db", "mysql_install_db")
        if install is None:
            raise home.SandboxError(f"{server} is there but mariadb-install-db is not; reinstall the server package.")
        # It hands --tmpdir on unquoted: relative to the data folder there is no space in it.
        command = [install, "--no-defaults", f"--datadir={folder / 'data'}", "--tmpdir=..", "--skip-test-db"]
        command += ["--skip-name-resolve", "--auth-root-authentication-method=normal"]
    else:
        command = [server, "--no-defaults", "--initialize-insecure", *_files(folder)]
    home.run_as_server_account(command, folder, folder / "install.log", "Creating the MySQL server")
    follows = "replication slave, replication client" + (", slave monitor" if _is_mariadb(server) else "")
    # Read by the server before it accepts the first connection, so no account is ever open.
    accounts = [
        "delete from mysql.global_priv where user in ('', 'root')"
        if _is_mariadb(server)
        else "drop user if exists 'root'@'localhost'",
        "flush privileges",
        f"create database if not exists {DATABASE}",
        f"create user if not exists '{_ADMIN}'@'127.0.0.1' identified by '{state['admin_password']}'",
        f"grant all on *.* to '{_ADMIN}'@'127.0.0.1' with grant option",
        f"create user if not exists 'ingest'@'127.0.0.1' identified by '{state['password']}'",
        f"grant select on {DATABASE}.* to 'ingest'@'127.0.0.1'",
        f"grant {follows} on *.* to 'ingest'@'127.0.0.1'",
    ]
    home.write_private(folder / "accounts.sql", ";\n".join(accounts) + ";\n", for_server=True)
    home.update_state(mysql=state, source=None)
    return state


def _files(folder: Path) -> list[str]:
    """Options; a server that starts removes the temporary tables of any other with the same folder for them."""
    return [f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]


def launch(folder: Path, state: dict[str, Any], *options: str) -> None:
    """Start the server, with ``options`` more than it always has, and wait until it answers."""
    server = _server()
    command = [
        server,
        "--no-defaults",
        *_files(folder),
        "--socket=server.sock",  # relative to the data folder: a socket's path has a short limit
        f"--pid-file={folder / 'data' / 'server.pid'}",
        f"--port={state['port']}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        f"--init-file={folder / 'accounts.sql'}",
        "--local-infile=1",
        "--character-set-server=utf8mb4",
        "--max-allowed-packet=256M",
        "--innodb-buffer-pool-size=512M",
        "--innodb-log-file-size=512M" if _is_mariadb(server) else "--innodb-redo-log-capacity=512M",
        "--innodb-flush-log-at-trx-commit=2",
        # the landing reads what the log names
        "--server-id=1",
        "--log-bin=binlog",
        "--binlog-format=ROW",
        "--binlog-row-image=FULL",
        "--binlog-row-metadata=FULL",
        "--max-binlog-size=256M",
        "--expire-logs-days=1" if _is_mariadb(server) else "--binlog-expire-logs-seconds=86400",
    ]
    command += options
    log = folder / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **home.as_server_account())
    for _ in range(600):
        if running(state):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    raise home.SandboxError(f"MySQL did not start. {log} ends:\n{home.tail(log)}")
