"""The sandbox's servers: started, found again, healed, and left alone when others are named."""

import codecs
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from sandbox import home, postgres, prerequisites
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Folder"]:
    place = Folder(tmp_path_factory.mktemp("sandbox"))
    yield place
    place.run("clean")


class Folder:
    """A sandbox in a folder of its own, used through its command line."""

    def __init__(self, path: Path):
        self.path = path / "sandbox"

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "sandbox", *words],
            cwd=PROJECT,
            env=os.environ | {"SANDBOX_FOLDER": str(self.path)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def env(self) -> dict[str, str]:
        return home.parse_env((self.path / "env").read_text(encoding="utf-8"))

    def processes(self) -> list[int]:
        """The servers' processes: their command lines name this folder."""
        mark = self.path.parent.name.encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if (b"mariadbd" in command or b"mysqld" in command or b"bin/postgres" in command) and (
                mark in command or self.home().encode() in command
            ):
                found.append(int(entry.name))
        return found

    def home(self) -> str:
        script = "from sandbox import home; print(home.servers_home())"
        environment = os.environ | {"SANDBOX_FOLDER": str(self.path)}
        return subprocess.run(
            [sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()


def test_servers_are_found_again_and_heal_after_a_kill(folder: Folder) -> None:
    assert folder.run("up").returncode == 0
    first = folder.env
    assert set(first) == {
        *("MYSQL_HOST", "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
        *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
        *("INGEST_USER", "INGEST_PASSWORD", "DBT_USER", "DBT_PASSWORD", "DBT_ROLES", "ERASURE_KEY"),
    }
    assert (folder.path / "env").stat().st_mode & 0o777 == 0o600
    assert folder.run("load", "--scale", "0.2").stdout == "Source loaded.\n"
    running = folder.processes()
    servers = {Path("/proc", str(process), "comm").read_text(encoding="utf-8").strip() for process in running}
    assert "postgres" in servers and servers & {"mariadbd", "mysqld"}
    assert folder.run("up").returncode == 0
    assert folder.env == first and folder.processes() == running

    for process in running:
        os.kill(process, signal.SIGKILL)
    assert folder.run("load", "--scale", "0.2").stdout == "Source left as it is.\n"
    assert folder.env == first
    connection = pymysql.connect(
        host=first["MYSQL_HOST"],
        port=int(first["MYSQL_PORT"]),
        user=first["MYSQL_USER"],
        password=first["MYSQL_PASSWORD"],
        database=first["MYSQL_DATABASE"],
    )
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from orders")
        assert cursor.fetchone() == (65,)
        with pytest.raises(pymysql.OperationalError):  # the ingestion user reads, and that is all
            cursor.execute("delete from orders")
    connection.close()


def test_nobody_logs_in_to_mysql_without_a_password(folder: Folder) -> None:
    folder.run("up")
    for user in ("root", ""):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=int(folder.env["MYSQL_PORT"]), user=user)


def test_temporary_tables_are_in_a_folder_of_their_own(folder: Folder) -> None:
    """Whichever server starts with it empties it, so two in ``/tmp`` broke each other now and then."""
    folder.run("up")
    port, password = int(folder.env["MYSQL_PORT"]), folder.env["MYSQL_PASSWORD"]
    with pymysql.connect(host="127.0.0.1", port=port, user="ingest", password=password) as connection:
        cursor = connection.cursor()
        cursor.execute("select @@tmpdir")
        assert cursor.fetchone() == (f"{folder.home()}/mysql",)


def test_the_embedded_warehouse_holds_one_source(folder: Folder) -> None:
    """The history of the demo's customers would go on with those of another source."""
    folder.run("up")
    settings = folder.env
    own = {name: settings[name] for name in settings if name.startswith("MYSQL_")} | {"MYSQL_HOST": "localhost"}
    assert folder.run("up", **own).returncode == 0  # nothing has landed yet
    assert folder.run("up").returncode == 0
    assert folder.run("exec", "--", "python", "-m", "ingestion").returncode == 0
    result = folder.run("up", **own)
    assert result.returncode == 1
    assert "holds the sandbox's own source, and this is your database classicmodels. `make clean`" in result.stderr
    assert folder.run("up").returncode == 0
    result = folder.run("up", MYSQL_HOST="db.example")
    assert result.stderr == "error: MYSQL_HOST is set, and MYSQL_DATABASE is not: name the database to land.\n"


def test_settings_read_from_its_own_file_name_no_other_server(folder: Folder) -> None:
    folder.run("up")
    before = folder.env
    assert folder.run("up", **before).returncode == 0
    assert folder.env == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MYSQL_DATABASE", "world"),
        ("MYSQL_PORT", "abc"),
        ("MYSQL_USER", "me"),
        ("PGDATABASE", "mine"),
        ("PGPORT", "5432"),
        ("PGPASSWORD", "mine"),
        ("INGEST_USER", "me"),
        ("DBT_PASSWORD", "mine"),
    ],
)
def test_a_setting_of_a_server_that_is_not_named_is_refused(folder: Folder, name: str, value: str) -> None:
    result = folder.run("exec", "--", "true", **{name: value})
    host = "MYSQL_HOST" if name.startswith("MYSQL") else "PGHOST"
    assert result.returncode == 1 and result.stderr.startswith(f"error: {name} set, and {host} is not: "), result
    assert "mine" not in result.stderr


def test_a_setting_that_says_what_is_so_anyway_is_taken(folder: Folder) -> None:
    assert folder.run("exec", "--", "true", MYSQL_DATABASE="classicmodels", PGDATABASE="warehouse").returncode == 0


def test_a_target_that_there_is_not_lands_nothing(folder: Folder) -> None:
    result = folder.run("exec", "--", "python", "-m", "ingestion", DBT_TARGET="foo")
    assert result.returncode == 2 and result.stderr.startswith("error: DBT_TARGET or TARGET is one of local,")


def test_the_sandboxs_roles_take_no_password_of_yours(folder: Folder) -> None:
    result = folder.run("roles", ROLE_ANALYST_PASSWORD="mine")  # pragma: allowlist secret
    assert result.returncode == 1 and result.stderr.startswith("error: ROLE_ANALYST_PASSWORD set, and PGHOST is not")


def test_the_process_goes_before_the_file_also_for_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ["MYSQL_PASSWORD_FILE=/nowhere", "ERASURE_KEY=a"]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(home, "PROJECT", tmp_path)
    monkeypatch.setenv("MYSQL_PASSWORD", "b")
    monkeypatch.setenv("ERASURE_KEY_FILE", "/nowhere")
    given = home.given()
    assert given["MYSQL_PASSWORD"] == "b" and "MYSQL_PASSWORD_FILE" not in given
    assert given["ERASURE_KEY_FILE"] == "/nowhere" and "ERASURE_KEY" not in given


def test_commands_of_the_project_are_found(folder: Folder) -> None:
    result = folder.run("exec", "--", "dbt", "--quiet", "ls", "--select", "dim_dates", "--resource-type", "model")
    assert result.stdout.strip() == "classicmodels.marts.dim_dates"
    elsewhere = {"MYSQL_HOST": "db.example", "PGHOST": "warehouse.example", "MYSQL_DATABASE": "Classic-Models"}
    schemas = [
        line for line in folder.run("exec", "--", "env", **elsewhere).stdout.splitlines() if "RAW_SCHEMA" in line
    ]
    assert schemas[0].endswith("=raw_classic_models")
    result = folder.run("exec", "--", "no-such-command")
    assert result.returncode == 1 and result.stderr == "error: no-such-command: No such file or directory.\n"


@pytest.mark.parametrize("line", ["export INGEST_EXCLUDE_COLUMNS=customers.phone", "INGEST_VIEWS", "=3", "A B=4"])
def test_a_line_that_says_nothing_is_an_error(line: str) -> None:
    assert home.parse_env("# INGEST_VIEWS\n\n A = b = c \nB=\n") == {"A": "b = c", "B": ""}
    with pytest.raises(home.SandboxError, match=r"\.env, line 2: write NAME=value, without `export`\.$"):
        home.parse_env(f"A=b\n{line}\n")


def test_a_taken_port_is_left_to_its_owner(folder: Folder) -> None:
    folder.run("up")
    before = folder.env
    folder.run("down")
    assert folder.processes() == []
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(before["PGPORT"])))
        other.listen()
        assert folder.run("up").returncode == 0
    assert folder.env["PGPORT"] != before["PGPORT"]
    assert folder.env["MYSQL_PORT"] == before["MYSQL_PORT"]


def test_servers_that_are_named_are_not_started(folder: Folder) -> None:
    folder.run("down")
    result = folder.run("up", MYSQL_HOST="db.example", PGHOST="warehouse.example")
    assert result.returncode == 0
    assert folder.env == {} and folder.processes() == []
    result = folder.run("trade", MYSQL_HOST="db.example", PGHOST="warehouse.example")
    assert result.returncode == 1 and "db.example" not in result.stdout


def test_the_private_mysql_has_a_shell_with_all_rights(folder: Folder) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "sandbox", "mysql"],
        cwd=PROJECT,
        env=os.environ | {"SANDBOX_FOLDER": str(folder.path)},
        input="create table new_table (id int primary key); show tables like 'new%'; drop table new_table",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.stdout.splitlines()[1:] == ["new_table"], result.stderr
    named = folder.run("mysql", MYSQL_HOST="db.example", MYSQL_DATABASE="shop", PGHOST="db.example")
    assert named.returncode == 1 and "MYSQL_HOST names a server of yours" in named.stderr


@pytest.mark.parametrize("days", ["0", "-1", "some"])
def test_trade_is_played_for_a_day_or_more(folder: Folder, days: str) -> None:
    result = folder.run("trade", f"--days={days}")
    assert result.returncode == 2 and result.stderr.endswith(f"{days}: a whole number of days, 1 or more\n")
    assert folder.processes() == []


def test_there_is_no_postgres_and_no_login_of_one_where_the_warehouse_is_redshift(folder: Folder) -> None:
    folder.run("down")
    redshift = {"DBT_TARGET": "redshift", "REDSHIFT_HOST": "warehouse.example"}
    result = folder.run("exec", "--", "env", **redshift)
    assert result.returncode == 0
    assert "MYSQL_HOST=127.0.0.1" in result.stdout
    assert not [line for line in result.stdout.splitlines() if line.startswith(("PG", "INGEST_USER", "DBT_USER"))]
    assert len(folder.processes()) == 1
    assert folder.run("load", "--scale", "0.3", **redshift).stdout == "Source loaded.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("this is not SQL at all", "MySQL refuses it (error 1064). "),
        ("select 1;", "holds no table"),
        ("create table t (id int);\ninsert into t values (1, 2);", "error 1136"),
        ("create table t (id int);\ncreate view v as select id from t;", "has views, which cannot be taken along"),
        (
            "create table t (id int);\nDELIMITER ;;\ncreate trigger r before insert on t for each row set new.id = 1;;",
            "--skip-triggers",
        ),
    ],
)
def test_a_bad_dump_leaves_the_source_as_it_was(
    folder: Folder, tmp_path: Path, content: str | None, words: str
) -> None:
    folder.run("load", "--scale", "0.1")
    dump = tmp_path / "dump.sql"
    if content is not None:
        dump.write_text(content, encoding="utf-8")
    result = folder.run("load", "--dump", str(dump))
    assert result.returncode == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: DUMP=") and words in line
    assert folder.run("load", "--scale", "0.1").stdout == "Source left as it is.\n"


def test_a_dump_arrives_byte_for_byte(folder: Folder, tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_bytes(
        codecs.BOM_UTF8 + b"create table t (b blob, c text);\ninsert into t values (_binary '\xff\xd8', '\xc3\xb6');"
    )
    assert folder.run("load", "--dump", str(dump)).stdout == "Source loaded.\n"
    port, password = int(folder.env["MYSQL_PORT"]), folder.env["MYSQL_PASSWORD"]
    with pymysql.connect(
        host="127.0.0.1", port=port, user="ingest", password=password, database="classicmodels"
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("select b, c from t")
        assert cursor.fetchone() == (b"\xff\xd8", "ö")


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "much"])
def test_a_scale_that_cannot_be_is_refused_in_a_line(folder: Folder, scale: str) -> None:
    result = folder.run("load", f"--scale={scale}")
    assert result.returncode == 2 and "Traceback" not in result.stderr and "--scale: " in result.stderr


def test_a_warehouse_that_was_not_finished_is_made(folder: Folder) -> None:
    """Who made it may have been stopped between the server's start and the database."""
    folder.run("up")
    state = json.loads((folder.path / "state.json").read_text(encoding="utf-8"))["postgres"]
    connection = postgres.connect(state, "postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("drop database warehouse with (force)")
    connection.close()
    assert folder.run("up").returncode == 0
    postgres.connect(state).close()


@pytest.mark.parametrize("leftover", [{"PGSSLMODE": "require"}, {"PGHOSTADDR": "10.0.0.1"}, {"PGSERVICE": "elsewhere"}])
def test_what_is_left_over_for_another_postgres_keeps_nobody_from_ours(
    folder: Folder, leftover: dict[str, str]
) -> None:
    folder.run("up")
    result = folder.run("exec", "--", "env", **leftover)
    assert result.returncode == 0, result.stderr
    assert not [line for line in result.stdout.splitlines() if line.startswith(tuple(leftover))]


def test_a_folder_may_have_a_space() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="my folder ") as parent:
        Path(parent).chmod(0o755)  # as root, the servers' files would else be elsewhere
        place = Folder(Path(parent))
        try:
            result = place.run("load", "--scale", "0.1")
            assert result.stdout == "Source loaded.\n", result.stderr
            assert place.home() == str(place.path)
        finally:
            place.run("clean")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_servers_start_where_their_account_cannot_reach_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone in /root, and an umask that keeps others out."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(home, "reachable", lambda path: False)
        monkeypatch.setattr(home, "servers_home", lambda: Path(folder))
        before = os.umask(0o077)
        try:
            programs = postgres.binaries()
        finally:
            os.umask(before)
        assert programs.is_relative_to(folder)
        for program in ("initdb", "postgres", "psql"):
            subprocess.run([programs / program, "--version"], check=True, cwd="/", **home.as_server_account())


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xef\xbb\xbfAS_OF=2026-01-01\n", ""), (b"INGEST_HASH_KEY=f\xfcr\n", "is not UTF-8")]
)
def test_settings_are_utf_8(folder: Folder, content: bytes, words: str) -> None:
    folder.run("up")
    own = (folder.path / "env").read_bytes()
    (folder.path / "env").write_bytes(content)
    result = folder.run("exec", "--", "true")
    (folder.path / "env").write_bytes(own)
    assert words in result.stderr and "Traceback" not in result.stderr
    assert result.returncode == bool(words)


def test_make_names_a_target_only_where_it_was_asked_to() -> None:
    for words, target in (([], ""), (["TARGET=redshift"], "redshift")):
        shown = subprocess.run(
            ["make", "--no-print-directory", "--eval=show:\n\t@echo $$DBT_TARGET", "show", *words],
            cwd=PROJECT,
            env={name: value for name, value in os.environ.items() if name != "DBT_TARGET"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == target


def test_without_a_server_and_without_rights_the_message_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prerequisites, "find", lambda *names: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "argv", ["prerequisites"])
    assert prerequisites.main() == 1
    told = capsys.readouterr().err
    assert all(words in told for words in ("apt-get install", "brew install", "docker compose", "MYSQL_HOST"))
    monkeypatch.setattr(prerequisites, "find", lambda *names: None if names else "/usr/sbin/mariadbd")
    assert prerequisites.main() == 1, "mariadbd without my_print_defaults makes no database"
    monkeypatch.setenv("MYSQL_HOST", "db.example")
    assert prerequisites.main() == 0
