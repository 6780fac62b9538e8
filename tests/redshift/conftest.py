"""The stand-in for Redshift, or a real one, with the raw data landed."""

import contextlib
import dataclasses
import datetime
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
import redshift_connector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingestion.mysql import land
from landing.settings import Settings, from_environment
from sandbox import home, mysql, postgres, source
from sandbox.trade import trade
from tests.conftest import DUMP, PROJECT, Servers, complete_dump
from tests.redshift.copy import Copy
from tests.redshift.gate import violations
from tests.redshift.proxy import Backend, Proxy

USER, READER = "dbt_redshift", "analyst"
DAYS = (datetime.date(2005, 6, 1), datetime.date(2005, 6, 2))
PATHS = {"check_views": "false", "check_show": "true"}
"""Schema prefixes of our own, one for each way the adapter reads metadata: from system views, or with SHOW (``datasharing``)."""
PUBLISHED = "check_show"
"""Built in the work set and published; the other one in place."""
AWS_KEY, AWS_SECRET = "AKIASTANDIN000000000", secrets.token_hex(20)  # pragma: allowlist secret
BUCKET, COPY_ROLE = "staging", "arn:aws:iam::123456789012:role/copy"


def certificate(folder: Path, name: str = "localhost") -> Path:
    """A new self-signed certificate with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return file


class Redshift:
    """A Redshift, the stand-in or a real one, named by the ``REDSHIFT_*`` variables that dbt reads."""

    def __init__(self, environment: dict[str, str], servers: Servers, folder: Path, proxy: Proxy | None) -> None:
        self.environment, self.servers, self.folder, self.proxy = environment, servers, folder, proxy

    def dbt(self, prefix: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """dbt on schemas of their own."""
        own = {
            "DBT_TARGET": "redshift",
            "MYSQL_DATABASE": mysql.DATABASE,
            "DBT_SCHEMA_PREFIX": prefix,
            "REDSHIFT_DATASHARING": PATHS.get(prefix, "false"),
            "DBT_SET": "next" if prefix == PUBLISHED else "",
        }
        return dbt(self.environment | own, self.folder / prefix, *words)

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements by Redshift's own driver; the rows of the last one."""
        with self.connect() as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def connect(self) -> Any:
        given = self.environment
        return redshift_connector.connect(
            host=given["REDSHIFT_HOST"],
            port=int(given["REDSHIFT_PORT"]),
            database=given["REDSHIFT_DATABASE"],
            user=given["REDSHIFT_USER"],
            password=given["REDSHIFT_PASSWORD"],
            sslmode="verify-full",
        )

    def settings(self, **options: Any) -> Settings:
        """Of a landing from the test's MySQL into this Redshift."""
        own = {name: value for name, value in self.servers.environment.items() if name.startswith("MYSQL_")}
        return from_environment(self.environment | own | {"DBT_TARGET": "redshift"}, **options)


def dbt(environment: dict[str, str], target: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *words, "--target-path", str(target)],
        cwd=PROJECT,
        env=environment | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="session", params=["stand-in", "real"])
def redshift(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Redshift]:
    """The stand-in; and, where REDSHIFT_HOST names one, a real Redshift."""
    folder = tmp_path_factory.mktemp("redshift")
    if request.param == "real":
        if not os.environ.get("REDSHIFT_HOST"):
            pytest.skip("REDSHIFT_HOST is not set: nothing was run on a real Redshift")
        defaults = {"REDSHIFT_PORT": "5439", "REDSHIFT_USER": "dbt", "REDSHIFT_DATABASE": "dev"}
        real = Redshift(defaults | dict(os.environ), servers, folder, None)
        taken = real.query(f"select 1 from information_schema.schemata where schema_name = 'raw_{mysql.DATABASE}'")
        assert not taken, f"REDSHIFT_DATABASE must name a database for tests: raw_{mysql.DATABASE} is there already"
        yield real
        return
    state = home.read_state()[postgres.NAME]
    password = secrets.token_hex(16)
    backend = Backend(state["port"], "redshift_stand_in", "postgres", state["admin_password"])
    backend.create(USER, password, READER)
    file = certificate(folder)
    with pytest.MonkeyPatch.context() as patch, staging_bucket() as endpoint:
        patch.setenv("SSL_CERT_FILE", str(file))  # for the driver in this process
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)  # for boto3; the keys are anybody's there
        patch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        proxy = Proxy(backend, file, violations, Copy(backend, s3, COPY_ROLE))
        environment = {
            "REDSHIFT_HOST": "localhost",
            "REDSHIFT_PORT": str(proxy.port),
            "REDSHIFT_USER": USER,
            "REDSHIFT_PASSWORD": password,
            "REDSHIFT_DATABASE": backend.database,
            "REDSHIFT_STAGING_URL": f"s3://{BUCKET}/landing",
            "REDSHIFT_COPY_ROLE": COPY_ROLE,
            "REDSHIFT_REGION": "eu-central-1",
            "DBT_READERS": READER,
        }
        outside = {name: value for name, value in os.environ.items() if not name.startswith("REDSHIFT_")}
        yield Redshift(outside | environment, servers, folder, proxy)
        proxy.close()


@contextlib.contextmanager
def staging_bucket() -> Iterator[str]:
    """The address of an S3 on this machine, moto's, that ends with the tests."""
    port = home.free_port()
    words: list[Path | str] = [
        PROJECT / ".venv-infra" / "bin" / "python",
        "-m",
        "moto.server",
        "-H",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def stand_in(redshift: Redshift) -> Proxy:
    if not redshift.proxy:
        pytest.skip("only the stand-in knows")
    return redshift.proxy


@dataclasses.dataclass
class Day:
    """What was built on one day."""

    outcomes: dict[str, "subprocess.CompletedProcess[str]"]
    """By schema prefix; ``postgres`` for the Postgres target."""
    tables: dict[str, dict[str, list[tuple[Any, ...]]]]
    """By prefix and table: its rows in order."""
    keys: dict[str, dict[str, tuple[str, ...]]]
    """By prefix and table: what Redshift says of its distribution and sort keys."""


@pytest.fixture(scope="session")
def days(redshift: Redshift, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Day]]:
    """A first build and, after a day of trade, an incremental one: on Postgres, and on Redshift in both ways."""
    servers = redshift.servers
    home.update_state(source=None)  # trading days of an earlier run must not show
    dump = complete_dump(tmp_path_factory.mktemp("dump")) if DUMP.exists() else None
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    built = []
    for number, day in enumerate(DAYS):
        if number:
            with mysql.connect(home.read_state()[mysql.NAME], mysql.DATABASE) as connection:
                trade(connection, day)
        as_of = datetime.datetime.combine(day, datetime.time(22), datetime.timezone.utc)
        report = land(from_environment(servers.environment, as_of=as_of))
        assert report.status == "ok", report
        report = land(redshift.settings(as_of=as_of))
        assert report.status == "ok", report
        built.append(_build(redshift, number))
    yield built
    schemas = [
        f"{prefix}_{work_set}{name}"
        for prefix in PATHS
        for work_set in ("", "next_")
        for name in ("staging", "intermediate", "marts", "snapshots", "seeds")
    ]
    redshift.query(*(f"drop schema if exists {schema} cascade" for schema in [*schemas, f"raw_{mysql.DATABASE}"]))


def _build(redshift: Redshift, number: int) -> Day:
    """Both ways and Postgres side by side; the first build of one way has all tests, the second of the other the data tests."""
    models = ["build", "--exclude-resource-type", "unit_test", "test"]
    with ThreadPoolExecutor(3) as pool:
        running = {
            "check_views": pool.submit(redshift.dbt, "check_views", *(models if number else ["build"])),
            "check_show": pool.submit(redshift.dbt, "check_show", *(models[:-1] if number else models)),
            "postgres": pool.submit(
                dbt, os.environ | redshift.servers.environment, redshift.folder / "postgres", *models
            ),
        }
        outcomes = {name: run.result() for name, run in running.items()}
    if outcomes[PUBLISHED].returncode == 0:
        redshift.query(f"update {PUBLISHED}_quality.next_builds set is_tested = is_complete")  # one of both is
        outcomes[PUBLISHED] = redshift.dbt(PUBLISHED, "run-operation", "publish")
    tables = {prefix: rows_of(redshift.connect(), f"{prefix}_") for prefix in PATHS}
    tables["postgres"] = rows_of(redshift.servers.postgres(), "")
    return Day(outcomes, tables, {prefix: keys_of(redshift, f"{prefix}_") for prefix in PATHS})


def rows_of(connection: Any, prefix: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of the marts and snapshots, with its rows in order."""
    cursor = connection.cursor()
    cursor.execute(
        "select table_schema, table_name from information_schema.tables"
        f" where table_schema in ('{prefix}marts', '{prefix}snapshots') and table_type = 'BASE TABLE'"
    )
    found = {}
    for schema, table in cursor.fetchall():
        cursor.execute(f"select * from {schema}.{table}")
        found[f"{schema.removeprefix(prefix)}.{table}"] = sorted(map(tuple, cursor.fetchall()), key=repr)
    connection.close()
    return found


def keys_of(redshift: Redshift, prefix: str) -> dict[str, tuple[str, ...]]:
    """By table: its distribution style, then its sort keys in order, as the system views have them."""
    prefix += (
        "next_" if prefix.startswith(PUBLISHED) else ""
    )  # the stand-in's LIKE does not take keys over, as Redshift's does
    found: dict[str, tuple[str, ...]] = {
        f"{schema.removeprefix(prefix)}.{table}": (style,)
        for schema, table, style in redshift.query(
            f'select "schema", "table", diststyle from svv_table_info where "schema" like \'{prefix}%\''
        )
    }
    for schema, table, column in redshift.query(
        "select schema_name, table_name, column_name from svv_redshift_columns"
        f" where schema_name like '{prefix}%' and sortkey <> 0 order by schema_name, table_name, abs(sortkey)"
    ):
        found[f"{schema.removeprefix(prefix)}.{table}"] += (column,)
    return found
