"""TLS to MySQL and to the warehouse, for the landing and for dbt: with certificates made on the spot, on real servers.

MySQL      the sandbox's own, started again with a certificate for 127.0.0.2: an address that is not "this machine".
Postgres   the embedded one knows no TLS: a relay in front of it ends TLS, as a connection pooler does. Where this machine
           has a Postgres with TLS, the same is asked of that one. It is called by a name, found by PGHOSTADDR.
Heard      every client goes through a relay that keeps what it sent: names and passwords must not be in it.
"""

import dataclasses
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from landing.environment import SECRET
from sandbox import home, mysql
from tests.conftest import PROJECT, Lane, Servers
from tests.security.wire import Authority, Listener, ends_tls, listening, relay, thief_of_mysql, thief_of_postgres

SECRETS = ("MYSQL_PASSWORD", "PGPASSWORD", "REDSHIFT_PASSWORD", "INGEST_HASH_KEY", "ROLE_ANALYST_PASSWORD")
NAME = "warehouse.example"
HERE, ELSEWHERE = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority nobody was told to trust."""
    return Authority(tmp_path_factory.mktemp("stranger"))


def for_the_servers(folder: Path, files: tuple[Path, Path]) -> tuple[Path, Path]:
    """Copies that the account of the servers can read."""
    account = home.server_account()
    copies = folder / "server.pem", folder / "server.key"
    for file, copy in zip(files, copies, strict=True):
        shutil.copy(file, copy)
        copy.chmod(0o600)
        if account:
            os.chown(copy, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
    return copies


@pytest.fixture(scope="module")
def mysql_with_tls(servers: Servers, authority: Authority) -> Iterator[int]:
    """The port of the sandbox's MySQL, which has a certificate for ``HERE`` while these tests run."""
    if os.environ.get("TEST_MYSQL_HOST"):
        pytest.skip("the MySQL of TEST_MYSQL_HOST cannot be given a certificate from here")
    folder, state = home.servers_home() / mysql.NAME, home.read_state()[mysql.NAME]
    certificate, key = for_the_servers(folder, authority.server(HERE))
    assert mysql.stop()
    mysql.launch(folder, state, f"--ssl-cert={certificate}", f"--ssl-key={key}")
    yield int(state["port"])
    assert mysql.stop()
    mysql.start()


@dataclasses.dataclass
class Warehouse:
    """A Postgres with a certificate for ``NAME``."""

    port: int
    environment: dict[str, str] = dataclasses.field(repr=False)
    """How to log in."""


@pytest.fixture(scope="module", params=["embedded", "installed"])
def postgres_with_tls(request: pytest.FixtureRequest, servers: Servers, authority: Authority) -> Iterator[Warehouse]:
    login = {name: servers.environment[name] for name in ("PGUSER", "PGPASSWORD", "PGDATABASE")}
    files = authority.server(NAME)
    if request.param == "embedded":
        with listening(ends_tls(int(servers.environment["PGPORT"]), *files)) as wire:
            yield Warehouse(wire.port, login)
        return
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("no Postgres with TLS is installed (on Debian: apt-get install postgresql)")
    folder, port = home.make_server_folder("postgres-tls"), home.free_port()
    certificate, key = for_the_servers(folder, files)
    home.write_private(folder / "password", login["PGPASSWORD"], for_server=True)
    binaries, data, log = found[-1].parent, folder / "data", folder / "log"
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    options += f" -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}"
    create: list[str | Path] = [binaries / "initdb", "-D", data, "-U", login["PGUSER"], "--pwfile", folder / "password"]
    create += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
    control: list[str | Path] = [binaries / "pg_ctl", "-D", data, "-l", folder / "server.log", "-w"]
    home.run_as_server_account(create, folder, log, "initdb")
    home.run_as_server_account([*control, "-o", options, "start"], folder, log, "pg_ctl start")
    try:
        yield Warehouse(port, login | {"PGDATABASE": "postgres"})
    finally:
        home.run_as_server_account([*control, "-m", "immediate", "stop"], folder, log, "pg_ctl stop")
        shutil.rmtree(folder)


@pytest.fixture
def to_mysql(mysql_with_tls: int) -> Iterator[Listener]:
    with listening(relay(mysql_with_tls), HERE) as wire:
        yield wire


@pytest.fixture
def to_postgres(postgres_with_tls: Warehouse) -> Iterator[Listener]:
    with listening(relay(postgres_with_tls.port)) as wire:
        yield wire


@pytest.fixture
def shop(lane: Lane) -> Lane:
    lane.execute("create table items (id int primary key, name varchar(20))", "insert into items values (1, 'a')")
    return lane


def mysql_at(wire: Listener, address: str = HERE, **more: str) -> dict[str, str]:
    return {"MYSQL_HOST": address, "MYSQL_PORT": str(wire.port)} | more


def postgres_at(wire: Listener, name: str = NAME, **more: str) -> dict[str, str]:
    return {"PGHOST": name, "PGHOSTADDR": "127.0.0.1", "PGPORT": str(wire.port)} | more


def refused(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """A landing ended with 3 and one line that holds these words."""
    assert (result.returncode, result.stdout) == (3, ""), result.stdout + result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr


def kept_to_itself(wire: Listener, environment: dict[str, str]) -> None:
    """What went over the wire names neither user nor password."""
    assert wire.heard, "nobody came"
    for name in ("MYSQL_USER", "MYSQL_PASSWORD", "PGUSER", "PGPASSWORD"):
        # A user of three letters may turn up by chance in what is encrypted: its protocol's frame does not.
        value = environment[name].encode()
        assert (value if "PASSWORD" in name else b"user\0" + value + b"\0") not in wire.heard
        assert "MYSQL" not in name or value + b"\0" not in wire.heard


def test_a_landing_over_verified_tls(
    shop: Lane, to_mysql: Listener, to_postgres: Listener, postgres_with_tls: Warehouse, authority: Authority
) -> None:
    environment = (
        postgres_with_tls.environment
        | mysql_at(to_mysql, MYSQL_SSL_CA=str(authority.file))
        | postgres_at(to_postgres, PGSSLROOTCERT=str(authority.file))
    )
    result = shop.cli(environment=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    connection = psycopg2.connect(**login_of(postgres_with_tls), sslmode="require")
    with connection.cursor() as cursor:
        cursor.execute(f"select id, name from {shop.raw}.items")
        assert cursor.fetchall() == [(1, "a")]
    connection.close()
    for wire in (to_mysql, to_postgres):
        kept_to_itself(wire, shop.environment | environment)


def login_of(warehouse: Warehouse) -> dict[str, Any]:
    login: dict[str, Any] = {name.removeprefix("PG").lower(): value for name, value in warehouse.environment.items()}
    return {"dbname": login.pop("database"), "host": "127.0.0.1", "port": str(warehouse.port), **login}


def test_the_machines_own_authorities_count_where_none_is_named(
    shop: Lane, to_mysql: Listener, to_postgres: Listener, postgres_with_tls: Warehouse, authority: Authority
) -> None:
    """Both servers, and both drivers of the landing: OpenSSL's variable names what this machine trusts."""
    environment = postgres_with_tls.environment | mysql_at(to_mysql) | postgres_at(to_postgres)
    assert shop.cli(environment=environment | {"SSL_CERT_FILE": str(authority.file)}).returncode == 0
    refused(shop.cli(environment=environment), "Postgres at warehouse.example", "no verified TLS connection")


def test_mysql_of_an_unknown_authority_is_refused(shop: Lane, to_mysql: Listener, stranger: Authority) -> None:
    result = shop.cli(environment=mysql_at(to_mysql, MYSQL_SSL_CA=str(stranger.file)))
    refused(result, f"MySQL at {HERE}", "its certificate could not be verified. Check MYSQL_SSL_CA")
    kept_to_itself(to_mysql, shop.environment)


def test_mysql_of_another_name_is_refused(shop: Lane, mysql_with_tls: int, authority: Authority) -> None:
    with listening(relay(mysql_with_tls), ELSEWHERE) as wire:
        result = shop.cli(environment=mysql_at(wire, ELSEWHERE, MYSQL_SSL_CA=str(authority.file)))
        refused(result, f"MySQL at {ELSEWHERE}", "its certificate could not be verified")
        kept_to_itself(wire, shop.environment)


def test_mysql_without_tls_is_refused(shop: Lane, authority: Authority) -> None:
    """The sandbox's own as it always is, and one that asks for the password in clear: the latter gets it only on demand."""
    trust = {"MYSQL_SSL_CA": str(authority.file)}
    with listening(thief_of_mysql, HERE) as thief:
        refused(shop.cli(environment=mysql_at(thief, **trust)), "it offers no TLS, and MYSQL_SSL_MODE asks for it")
        assert thief.heard == b""
        shop.cli(environment=mysql_at(thief, MYSQL_SSL_MODE="disabled"))
        assert shop.environment["MYSQL_PASSWORD"].encode() in thief.heard


def test_tls_may_be_asked_of_a_local_mysql(shop: Lane, authority: Authority) -> None:
    with listening(thief_of_mysql) as thief:
        settings = mysql_at(thief, "127.0.0.1", MYSQL_SSL_MODE="verify", MYSQL_SSL_CA=str(authority.file))
        refused(shop.cli(environment=settings), "it offers no TLS")


@dataclasses.dataclass
class Dbt:
    """dbt as ``make run`` starts it: through the sandbox's ``exec``."""

    environment: dict[str, str]

    def connect(self) -> "subprocess.CompletedProcess[str]":
        words = ["exec", "--", sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "debug", "--connection"]
        return subprocess.run(
            [sys.executable, "-m", "sandbox", *words],
            cwd=PROJECT,
            env=os.environ | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")} | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def dbt(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dbt]:
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path))
    return lambda *parts: Dbt(servers.environment | {key: value for part in parts for key, value in part.items()})


def dbt_refused(result: "subprocess.CompletedProcess[str]", word: str) -> None:
    assert result.returncode == 1 and word in result.stdout, result.stdout + result.stderr


def test_the_right_authority_and_name_are_needed(
    shop: Lane,
    dbt: Callable[..., Dbt],
    to_postgres: Listener,
    postgres_with_tls: Warehouse,
    authority: Authority,
    stranger: Authority,
) -> None:
    """dbt connects where the landing does, and is refused where it is."""
    login, trust = postgres_with_tls.environment, {"PGSSLROOTCERT": str(authority.file)}
    right = postgres_at(to_postgres, **trust)
    result = dbt(login, right).connect()
    assert result.returncode == 0, result.stdout + result.stderr
    for wrong in (
        postgres_at(to_postgres, PGSSLROOTCERT=str(stranger.file)),
        postgres_at(to_postgres, "another.example", **trust),
    ):
        refused(shop.cli(environment=login | wrong), f"Postgres at {wrong['PGHOST']}", "no verified TLS connection")
        dbt_refused(dbt(login, wrong).connect(), "certificate")
    kept_to_itself(to_postgres, shop.environment | login)


def test_postgres_without_tls_is_refused(shop: Lane, dbt: Callable[..., Dbt], authority: Authority) -> None:
    """By the landing and by dbt; one that asks for the password in clear gets it only on demand."""
    trust = {"PGSSLROOTCERT": str(authority.file)}
    with listening(relay(int(shop.environment["PGPORT"]))) as wire:
        refused(shop.cli(environment=postgres_at(wire, **trust)), "no verified TLS connection")
        dbt_refused(dbt(postgres_at(wire, **trust)).connect(), "server does not support SSL")
        kept_to_itself(wire, shop.environment)
    with listening(thief_of_postgres) as thief:
        refused(shop.cli(environment=postgres_at(thief, **trust)), "no verified TLS connection")
        dbt_refused(dbt(postgres_at(thief, **trust)).connect(), "server does not support SSL")
        kept_to_itself(thief, shop.environment)
        shop.cli(environment=postgres_at(thief, PGSSLMODE="disable"))
        assert shop.environment["PGPASSWORD"].encode() in thief.heard


def test_dbt_alone_verifies_as_well(dbt: Callable[..., Dbt], authority: Authority) -> None:
    """Started by hand, without what the sandbox's ``exec`` adds."""
    with listening(thief_of_postgres) as thief:
        own = dbt(postgres_at(thief, PGSSLROOTCERT=str(authority.file)))
        result = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "debug", "--connection"],
            cwd=PROJECT,
            env=os.environ | own.environment | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        dbt_refused(result, "server does not support SSL")
        assert own.environment["PGPASSWORD"].encode() not in thief.heard


def test_secrets_from_files_reach_dbt(dbt: Callable[..., Dbt], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    right = dbt({"PGPASSWORD_FILE": str(file)})
    file.write_text(right.environment.pop("PGPASSWORD") + "\n", encoding="utf-8")
    assert right.connect().returncode == 0
    file.write_text("wrong", encoding="utf-8")
    dbt_refused(right.connect(), "password authentication failed")
    file.unlink()
    result = right.connect()
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: PGPASSWORD_FILE={file}: No such file or directory.\n"


def test_every_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """Through ``exec``, whatever is run: the secret is there, the name of its file is not."""
    file = tmp_path / "secret"
    file.write_text("of a file\n", encoding="utf-8")
    files = {f"{name}_FILE": str(file) for name in SECRETS}
    servers = {"MYSQL_HOST": "db.example", "PGHOST": "db.example"}
    result = subprocess.run(
        [sys.executable, "-m", "sandbox", "exec", "--", "env", "-0"],
        cwd=PROJECT,
        env=os.environ | {"SANDBOX_FOLDER": str(tmp_path / "sandbox")} | servers | files,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seen = dict(line.split("=", 1) for line in result.stdout.split("\0") if line)
    assert {name: seen.get(name) for name in SECRETS} == dict.fromkeys(SECRETS, "of a file")
    assert not [name for name in seen if name.removesuffix("_FILE") in SECRETS and name.endswith("_FILE")]
    assert seen["PGSSLMODE"] == "verify-full" and Path(seen["PGSSLROOTCERT"]).is_file()


def test_every_secret_of_the_project_is_among_them() -> None:
    """Whatever profiles, examples and pages call a password or a key can be in a file."""
    files = [PROJECT / "profiles" / "profiles.yml", PROJECT / ".env.example", *(PROJECT / "serving").glob("*/*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    named = set(re.findall(r"\b([A-Z_]+(?:PASSWORD|KEY))(?:_FILE)?\b", " ".join(texts)))
    assert len(named) > 3 and [name for name in named if not SECRET.fullmatch(name)] == []


def test_dotenv_is_ignored_by_git() -> None:
    ignored = subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=PROJECT, check=False)
    assert ignored.returncode == 0
