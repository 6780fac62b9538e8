"""The settings of a landing, from the environment and the command line."""

import dataclasses
import datetime
import fnmatch
import hashlib
import os
import re
import ssl
import tempfile
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Literal

from landing.environment import SettingsError, is_local, secret, warehouse_tls
from landing.names import fit, raw_schema, snake_case

__all__ = ["Settings", "SettingsError", "from_environment", "words"]

_TARGETS = ("local", "postgres", "dev", "redshift")
"""The outputs of ``profiles/profiles.yml``."""
_LONGEST_WAIT = 2_000_000
"""Seconds. PostgreSQL takes 2^31 milliseconds."""


@dataclasses.dataclass(frozen=True)
class Bucket:
    """The bucket with files for Redshift's COPY, and COPY's role."""

    name: str
    prefix: str
    """Begins the key of every file. It is empty or ends in a slash."""
    copy_role: str
    """ARN of the role named in COPY."""
    region: str = ""
    """The bucket's region; empty if it is Redshift's own."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Patterns are shell patterns (``order*``). A column is ``table.column``, in MySQL's names."""

    mysql: dict[str, Any] = dataclasses.field(repr=False)
    """Arguments of ``pymysql.connect``."""
    database: str
    login: dict[str, str] = dataclasses.field(repr=False)
    """libpq parameters of the warehouse."""
    warehouse: Literal["postgres", "redshift"] = "postgres"
    bucket: Bucket | None = None
    """For Redshift only, and always there."""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    with_views: bool = False
    left_out_columns: tuple[str, ...] = ()
    hashed_columns: tuple[str, ...] = ()
    hash_key: str = dataclasses.field(default="", repr=False)
    erasure_key: str = dataclasses.field(default="", repr=False)
    incremental: tuple[str, ...] = ()
    look_back: datetime.timedelta = datetime.timedelta(days=1)
    full_every: datetime.timedelta = datetime.timedelta(days=7)
    as_of: datetime.datetime | None = None
    strict: bool = False
    accept_drift: bool = False
    full_compare: bool = False
    binlog: bool = True
    """Whether to read only what the binary log names, if it can be read."""
    replication: int = 0
    """The number of the landing among the replicas of MySQL. 0: one of its own, made from the warehouse's address."""
    changed_at: datetime.datetime | None = None
    """When a follower saw the first of the changes that it lands."""
    rows_per_second: int | None = None
    statement_timeout: int = 3600
    """Seconds MySQL may spend on one table."""
    greeting_timeout: int = 30
    """Seconds to wait for MySQL's answer after it took the connection."""
    checksum: Literal["crc32", "md5"] | None = None
    """None: CRC32 if the warehouse has MySQL's, as PostgreSQL 18 has; else 32 bits of an MD5."""
    lock_wait: int = 60
    """Seconds to wait for another landing to end; on Postgres also for a lock on a table."""
    chunk_rows: int = 250_000
    """Rows of one file. Files are loaded while MySQL sends the next."""
    work_folder: Path = Path(tempfile.gettempdir())
    """A landing makes its own folder in it. Only its user can enter that one."""

    @property
    def variables(self) -> str:
        """The beginning of the names of the warehouse's variables."""
        return "REDSHIFT_" if self.warehouse == "redshift" else "PG"

    @property
    def raw_schema(self) -> str:
        return raw_schema(self.database)

    @property
    def arrival_schema(self) -> str:
        """Holds rows until they are verified. It is emptied before and after every landing."""
        return fit(f"landing_{snake_case(self.database)}")

    @property
    def erasure_schema(self) -> str:
        """Holds the list of erased people. The raw schema may be dropped and landed anew, so the list is not there."""
        return fit(f"erasure_{snake_case(self.database)}")

    @property
    def work_prefix(self) -> str:
        """Begins the name of each folder of landings into this schema by this user. The rest of the name is random."""
        return f"landing-{self._hashed(str(os.geteuid()))[:16]}-"

    @property
    def replication_id(self) -> int:
        """MySQL ends a reader of its log when another one comes with the same number."""
        return self.replication or int(self._hashed("replica")[:8], 16) | 1 << 31

    def _hashed(self, *more: str) -> str:
        where = (self.login["host"], self.login["port"], self.login["dbname"], self.raw_schema, *more)
        return hashlib.sha256("|".join(where).encode()).hexdigest()

    def check_patterns(self, tables: Set[str], views: Set[str], columns: Sequence[str]) -> None:
        """Raise ``SettingsError`` for a pattern that fits nothing: a typing error must not land a hidden column.

        ``tables`` are the tables of the source and of earlier landings. ``columns`` are those of the source's tables
        and views, as ``table.column``. A table to leave out may come tomorrow, so only its full name must fit, not a
        pattern with ``*``, ``?`` or ``[``.
        """
        may_land = tables | views if self.with_views else tables
        for what, names, patterns in (
            ("--tables or INGEST_TABLES", may_land, [word for word in self.include if word != "*"]),
            ("INGEST_EXCLUDE_TABLES", tables | views, [word for word in self.exclude if not set(word) & set("*?[")]),
            ("INGEST_EXCLUDE_COLUMNS", columns, self.left_out_columns),
            ("INGEST_HASH_COLUMNS", columns, self.hashed_columns),
        ):
            for pattern in patterns:
                if not any(_matches(name, (pattern,)) for name in names):
                    only_views = any(_matches(view, (pattern,)) for view in views)
                    hint = "Views land with INGEST_VIEWS=true." if only_views else "Capitals count."
                    raise SettingsError(f"{what}: {pattern} fits nothing in {self.database}. {hint} Nothing was read.")
        for name in self.incremental:
            if name not in columns:
                raise SettingsError(
                    f"INGEST_INCREMENTAL: {name} fits nothing in {self.database}. Capitals count, and it takes one"
                    " column of a table, not a pattern. Nothing was read."
                )

    def wants(self, table: str) -> bool:
        return _matches(table, self.include) and not _matches(table, self.exclude)

    def leaves_out(self, table: str, column: str) -> bool:
        return _matches(f"{table}.{column}", self.left_out_columns)

    def hashes(self, table: str, column: str) -> bool:
        return _matches(f"{table}.{column}", self.hashed_columns)

    def tells_change(self, table: str, column: str) -> bool:
        """Whether the column shows new rows of an incremental table."""
        return f"{table}.{column}" in self.incremental


def from_environment(environment: Mapping[str, str] = os.environ, **options: Any) -> Settings:
    """Read the settings of a landing from these variables; ``options`` from the command line go first.

    1. ``MYSQL_*`` and ``INGEST_*``.
    2. libpq's ``PG*``, or ``REDSHIFT_*`` if ``DBT_TARGET`` is ``redshift``.
    3. ``ERASURE_KEY`` and ``AS_OF``.

    The landing logs in to the warehouse as ``INGEST_USER`` if that is set, else as dbt's user. A secret may be in a
    file instead: ``MYSQL_PASSWORD_FILE``, ``PGPASSWORD_FILE``, ``REDSHIFT_PASSWORD_FILE``, ``INGEST_PASSWORD_FILE``,
    ``INGEST_HASH_KEY_FILE``, ``ERASURE_KEY_FILE``.

    Raises:
        SettingsError: names the variable.
    """
    read = _Reader(environment)
    host = read.required("MYSQL_HOST")
    mysql: dict[str, Any] = {
        "host": host,
        "port": read.integer("MYSQL_PORT", 3306, 1, 65_535),
        "user": read.required("MYSQL_USER"),
        "password": read.secret("MYSQL_PASSWORD").encode(),  # else pymysql would send it in Latin-1
        "database": read.required("MYSQL_DATABASE"),
        "ssl": _tls(host, read),
    }
    own_user, own_password = read.text("INGEST_USER"), read.secret("INGEST_PASSWORD")
    if read.text("DBT_TARGET") not in ("", *_TARGETS):
        raise SettingsError(f"DBT_TARGET or TARGET is one of {', '.join(_TARGETS)}. Nothing was read.")
    to_redshift = read.text("DBT_TARGET") == "redshift"
    for name in ("INGEST", "DBT"):
        if read.secret(f"{name}_PASSWORD") and not read.text(f"{name}_USER"):
            raise SettingsError(f"{name}_PASSWORD is set, and {name}_USER is not: whose is it? Nothing was read.")
    for name in ("DBT_ROLES", "REDSHIFT_DATASHARING"):
        if read.text(name) not in ("", "true", "false"):
            raise SettingsError(f"{name} is either true or false, in small letters, as dbt reads it. Nothing was read.")
    prefix = "REDSHIFT_" if to_redshift else "PG"
    login = {
        "host": read.required(f"{prefix}HOST"),
        "port": str(read.integer(f"{prefix}PORT", 5439 if to_redshift else 5432, 1, 65_535)),
        "user": own_user or read.required(f"{prefix}USER"),
        "password": own_password if own_user else read.secret(f"{prefix}PASSWORD"),
        "dbname": read.required(f"{prefix}DATABASE"),
    }
    tls = warehouse_tls(environment, prefix)
    login |= {name.removeprefix(prefix).lower(): value for name, value in tls.items()}
    values: dict[str, Any] = {
        "warehouse": "redshift" if to_redshift else "postgres",
        "bucket": _bucket(read) if to_redshift else None,
        "include": read.words("INGEST_TABLES") or ("*",),
        "exclude": read.words("INGEST_EXCLUDE_TABLES"),
        "with_views": read.flag("INGEST_VIEWS"),
        "left_out_columns": read.words("INGEST_EXCLUDE_COLUMNS"),
        "hashed_columns": read.words("INGEST_HASH_COLUMNS"),
        "hash_key": read.secret("INGEST_HASH_KEY"),
        "erasure_key": read.secret("ERASURE_KEY"),
        "incremental": read.words("INGEST_INCREMENTAL"),
        "look_back": datetime.timedelta(seconds=read.integer("INGEST_LOOK_BACK_SECONDS", 86_400)),
        "full_every": datetime.timedelta(hours=read.integer("INGEST_FULL_EVERY_HOURS", 168)),
        "as_of": _moment(read.text("AS_OF")),
        "binlog": read.flag("INGEST_BINLOG", default=True),
        "replication": read.integer("INGEST_REPLICATION_ID", 0, 0, 2**32 - 1),
        "rows_per_second": read.integer("INGEST_ROWS_PER_SECOND", 0) or None,
        "statement_timeout": read.integer("INGEST_STATEMENT_TIMEOUT_SECONDS", 3600, 0, _LONGEST_WAIT),
        "lock_wait": read.integer("INGEST_LOCK_WAIT_SECONDS", 60, 0, _LONGEST_WAIT),
        "chunk_rows": read.integer("INGEST_CHUNK_ROWS", 250_000, 1),
    }
    values |= {name: value for name, value in options.items() if value is not None}
    if values["hashed_columns"] and not values["hash_key"]:
        raise SettingsError("INGEST_HASH_COLUMNS needs a secret in INGEST_HASH_KEY or INGEST_HASH_KEY_FILE.")
    for column in (*values["left_out_columns"], *values["hashed_columns"], *values["incremental"]):
        if not all(column.partition(".")):
            raise SettingsError(f"{column!r} names no column; write table.column.")
    work_folder = Path(read.text("INGEST_WORK_FOLDER") or tempfile.gettempdir())
    if unknown := sorted(name for name in environment if name.startswith("INGEST_") and name not in read.known):
        raise SettingsError(f"There is no setting {', '.join(unknown)}; .env.example has all. Nothing was read.")
    return Settings(mysql=mysql, database=mysql["database"], login=login, work_folder=work_folder, **values)


def words(text: str | None) -> tuple[str, ...]:
    """``a, b`` -> ``("a", "b")``"""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


class _Reader:
    def __init__(self, environment: Mapping[str, str]):
        self.environment = environment
        self.known: set[str] = set()

    def text(self, name: str) -> str:
        self.known.add(name)
        return self.environment.get(name, "").strip()

    def words(self, name: str) -> tuple[str, ...]:
        return words(self.text(name))

    def required(self, name: str) -> str:
        if not self.text(name):
            raise SettingsError(f"{name} is not set. See .env.example, or run through `make`, which sets it up.")
        return self.text(name)

    def flag(self, name: str, default: bool = False) -> bool:
        word = self.text(name).lower() or str(default).lower()
        if word not in ("", "0", "1", "false", "true", "no", "yes"):
            raise SettingsError(f"{name} is either true or false.")
        return word in ("1", "true", "yes")

    def integer(self, name: str, default: int, least: int = 0, most: int = 1_000_000_000) -> int:
        text = self.text(name)
        if text and not (text.isdecimal() and least <= int(text) <= most):
            raise SettingsError(f"{name} must be a whole number from {least} to {most}.")
        return int(text or default)

    def secret(self, name: str) -> str:
        self.known |= {name, f"{name}_FILE"}
        return secret(self.environment, name)


def _bucket(read: _Reader) -> Bucket:
    if read.text("REDSHIFT_METHOD") not in ("", "database"):
        raise SettingsError("REDSHIFT_METHOD: the landing logs in to Redshift by user and password (database) only.")
    if read.secret("ERASURE_KEY"):
        raise SettingsError("ERASURE_KEY: people can be erased where the warehouse is Postgres only. Nothing was read.")
    url = re.fullmatch(r"s3://([a-z0-9.-]+)/([\w/.=-]*?)/*", read.required("REDSHIFT_STAGING_URL"))
    role = re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", read.required("REDSHIFT_COPY_ROLE"))
    region = re.fullmatch(r"[a-z0-9-]*", read.text("REDSHIFT_REGION"))
    if not url:
        raise SettingsError("REDSHIFT_STAGING_URL is not like s3://bucket/folder.")
    if not role:
        raise SettingsError("REDSHIFT_COPY_ROLE is not the ARN of a role, such as arn:aws:iam::123456789012:role/copy.")
    if not region:
        raise SettingsError("REDSHIFT_REGION is not a region, such as eu-central-1.")
    return Bucket(url[1], f"{url[2]}/" if url[2] else "", role[0], region[0])


def _tls(host: str, read: _Reader) -> ssl.SSLContext | None:
    """Verified TLS, unless MySQL is on this machine or ``MYSQL_SSL_MODE=disabled`` says otherwise."""
    authority = read.text("MYSQL_SSL_CA") or None
    mode = read.text("MYSQL_SSL_MODE") or ("disabled" if is_local(host) and not authority else "verify")
    if mode not in ("disabled", "verify"):
        raise SettingsError("MYSQL_SSL_MODE is either verify or disabled.")
    if mode == "disabled":
        return None
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise SettingsError(f"MYSQL_SSL_CA={authority}: {error.strerror}.") from None


def _moment(text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise SettingsError(f"AS_OF={text} is not an ISO date or time, such as 2005-06-01T06:00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
