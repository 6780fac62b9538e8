"""The sandbox's command line: ``python -m sandbox --help``."""

import argparse
import datetime
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import psycopg2
import pymysql

from landing.environment import is_local
from privacy.roles import ROLES
from sandbox import demo, home, mysql, postgres, source
from sandbox.generate import SMALLEST_SCALE
from sandbox.trade import day_after_the_last_order, trade


def warehouse_is_elsewhere(given: Mapping[str, str]) -> bool:
    """Whether the environment names a Postgres, or the warehouse is Redshift, never the sandbox's own."""
    return bool(given.get("PGHOST")) or given.get("DBT_TARGET") == "redshift"


def up() -> dict[str, str]:
    """Start the servers that the environment does not name; writes ``.sandbox/env`` and returns all settings."""
    given = home.given()
    with home.locked():
        own: dict[str, str] = {}
        if not given.get("MYSQL_HOST"):
            own |= mysql.start()
        if not warehouse_is_elsewhere(given):
            own |= postgres.start()
            _refuse_another_source(given)
        home.refuse_half_a_server(own)
        home.write_private(home.ENV_FILE, "".join(f"{key}={value}\n" for key, value in own.items()))
    return home.environment()


def _refuse_another_source(given: Mapping[str, str]) -> None:
    """The history of one source's rows would go on with those of another."""
    name = given.get("MYSQL_DATABASE", "")
    if given.get("MYSQL_HOST") and not name:
        raise home.SandboxError("MYSQL_HOST is set, and MYSQL_DATABASE is not: name the database to land.")
    source_now = f"your database {name}" if given.get("MYSQL_HOST") else "the sandbox's own source"
    source_before = home.read_state().get("warehouse_of")
    if source_before == source_now:
        return
    if source_before and postgres.has_landed():
        raise home.SandboxError(
            f"The embedded warehouse holds {source_before}, and this is {source_now}. `make clean` removes what is"
            " there; or name a warehouse of yours (PGHOST)."
        )
    home.update_state(warehouse_of=source_now)


def down() -> None:
    with home.locked():
        stopped = [server.NAME for server in (mysql, postgres) if server.stop()]
    print(f"Stopped: {', '.join(stopped) or 'nothing was running'}.")


def clean() -> None:
    """Stop the servers and remove all the sandbox made."""
    if home.SANDBOX.exists():
        down()
        if home.servers_home() != home.SANDBOX:
            shutil.rmtree(home.servers_home(), ignore_errors=True)
        shutil.rmtree(home.SANDBOX)


def load(dump: Path | None, scale: float, seed: int) -> bool:
    """Fill the private source; with a new source the embedded warehouse starts anew. False: nothing to do."""
    up()
    given = home.given()
    if given.get("MYSQL_HOST"):
        print(f"The source is {given['MYSQL_HOST']}, not the sandbox: it is read as it is, nothing is loaded.")
        return False
    with home.locked():
        empty_warehouse = (lambda: None) if warehouse_is_elsewhere(given) else postgres.reset
        return source.ensure(dump, scale, seed, empty_warehouse)


def play(days: int, seed: int, first: datetime.date | None) -> None:
    """Trade on the private source for some days in a row and print the changes of each."""
    settings = up()
    if home.given().get("MYSQL_HOST"):
        raise home.SandboxError("MYSQL_HOST names a server of yours; trade is played on the sandbox's only.")
    as_of = settings.get("AS_OF", "")
    try:
        asked = first or (datetime.date.fromisoformat(as_of[:10]) if as_of else None)
    except ValueError:
        raise home.SandboxError(f"AS_OF={as_of} is not an ISO date or time, such as 2005-06-01T06:00:00.") from None
    with home.locked(), mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as connection:
        start = asked or day_after_the_last_order(connection)
        for number in range(days):
            day = start + datetime.timedelta(days=number)
            for table, counts in trade(connection, day, seed).items():
                done = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
                if done:
                    print(f"{day} {table:<14} {done}")


def roles() -> int:
    """Make the roles in the warehouse that PGHOST names, else in the sandbox's own; returns the exit code."""
    settings = up()
    if warehouse_is_elsewhere(home.given()):
        return subprocess.run(
            [sys.executable, "-m", "privacy", "roles"], cwd=home.PROJECT, env=settings, check=False
        ).returncode
    given = [f"ROLE_{role.upper()}_PASSWORD" for role in ROLES] + ["MASKING_KEY"]
    if wrong := [name for name in given if settings.get(name)]:
        raise home.SandboxError(
            f"{', '.join(wrong)} set, and PGHOST is not: the sandbox's roles have passwords and a key of their own."
        )
    postgres.make_roles()
    print("The sandbox's roles are as privacy/roles.sql says; make psql ROLE=analyst logs in as one.")
    return 0


def psql(role: str | None) -> NoReturn:
    """Become psql on the warehouse: the project's own, which knows no TLS, or this machine's."""
    os.environ.update(up())
    if role:
        os.environ |= postgres.login(role)
    own = str(postgres.binaries() / "psql")
    program = own if is_local(os.environ.get("PGHOST", "")) else shutil.which("psql")
    if program is None:
        raise home.SandboxError(
            "A warehouse elsewhere needs a psql that knows TLS: on Debian, apt-get install postgresql-client."
        )
    os.execv(program, [program])


def mysql_shell() -> NoReturn:
    """Become the MySQL client on the private source, with all rights."""
    up()
    if home.given().get("MYSQL_HOST"):
        raise home.SandboxError("MYSQL_HOST names a server of yours; this shell is for the sandbox's own.")
    words, password = mysql.shell_command(home.read_state()[mysql.NAME])
    os.execve(words[0], words, os.environ | password)


def _days(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a whole number of days, 1 or more")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not SMALLEST_SCALE <= scale < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: a number; the smallest that shows every quirk is {SMALLEST_SCALE}")
    return scale


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Servers and data for a machine that has none."
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    commands.add_parser("up", help="start the servers the environment does not name")
    commands.add_parser("down", help="stop them")
    commands.add_parser("clean", help="stop them and remove their data")
    for name, what in (
        ("load", "fill the private source with a dump or generated data"),
        ("demo", "load, land, build, document, and print the first answers"),
    ):
        loader = commands.add_parser(name, help=what)
        loader.add_argument("--dump", type=Path, help="an SQL dump (default: generate)")
        loader.add_argument(
            "--scale", type=_scale, default=1, help="size of generated data; 1 is about 3,000 order lines"
        )
        loader.add_argument("--seed", type=int, default=1, help="same seed, same data")
    commands.add_parser("docs", help="write the docs site")
    commands.add_parser("roles", help="make the warehouse's roles")
    shell = commands.add_parser("psql", help="a shell on the warehouse")
    shell.add_argument("--role", help="log in to the sandbox's own as this role (default: the warehouse's owner)")
    commands.add_parser("mysql", help="a shell on the private source, with all rights")
    trader = commands.add_parser("trade", help="play days of trade on the private source")
    trader.add_argument("--days", type=_days, default=1)
    trader.add_argument("--seed", type=int, default=1)
    trader.add_argument(
        "--from",
        dest="first",
        type=datetime.date.fromisoformat,
        help="first day (default: AS_OF, else the day after the data's last order)",
    )
    runner = commands.add_parser("exec", help="run a command with the servers up and their variables set")
    runner.add_argument("words", nargs=argparse.REMAINDER, metavar="-- command")
    options = parser.parse_args(arguments)

    if options.command == "up":
        up()
        print(f"Up. Settings are in {os.path.relpath(home.ENV_FILE)}.")
    elif options.command == "down":
        down()
    elif options.command == "clean":
        clean()
    elif options.command == "load":
        replaced = load(options.dump, options.scale, options.seed)
        print("Source loaded." if replaced else "Source left as it is.")
    elif options.command == "demo":
        return demo.run(lambda: load(options.dump, options.scale, options.seed), home.environment)
    elif options.command == "docs":
        return demo.docs(up())
    elif options.command == "roles":
        return roles()
    elif options.command == "psql":
        psql(options.role)
    elif options.command == "mysql":
        mysql_shell()
    elif options.command == "trade":
        play(options.days, options.seed, options.first)
    else:
        words = options.words[1:] if options.words[:1] == ["--"] else options.words
        if not words or words[0].startswith("-"):
            runner.error("name a command after --")
        settings = {"DBT_PROFILES_DIR": "profiles"} | up()
        settings["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{settings.get('PATH', '')}"
        try:
            os.execvpe(words[0], words, settings)
        except OSError as error:
            moved = " Was this folder moved? Then `make clean`, and again." if Path(words[0]).exists() else ""
            raise home.SandboxError(f"{words[0]}: {error.strerror}.{moved}") from None
    return 0


if __name__ == "__main__":
    try:
        home.forget_leftovers()
        sys.exit(main())
    except home.SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"error: {error.filename or 'the sandbox'}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted; the same command again goes on from here", file=sys.stderr)
        sys.exit(130)
    except (pymysql.Error, psycopg2.Error) as error:
        print(
            f"error: the sandbox's own server failed: {type(error).__name__}. See .sandbox/*/server.log.",
            file=sys.stderr,
        )
        sys.exit(1)
