"""Runs as data: a JSON file each in ``logs/night``, and ``runs``, ``run_steps``, ``run_models`` in the warehouse.

If the warehouse is down, the next run loads the record. The SQL is for Postgres and Redshift.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errorcodes
from psycopg2.extras import execute_values

from landing.settings import Settings, SettingsError, from_environment
from landing.warehouse.postgres import locked_session
from landing.warehouse.session import AnotherLanding, WarehouseUnavailable, connect

FOLDER = Path("logs/night")
_TABLES = {
    "runs": "run_id varchar(64) not null, started_at timestamp not null, ended_at timestamp, landed_at timestamp,"
    " status varchar(16) not null, exit_code integer, is_published boolean, problem varchar(2048), code varchar(64),"
    " seeds varchar(64), row_count bigint, exception_count bigint",
    "run_steps": "run_id varchar(64) not null, step_number integer not null, step_name varchar(32) not null,"
    " started_at timestamp not null, duration_seconds numeric(12, 3), status varchar(16) not null,"
    " attempts integer not null, row_count bigint",
    "run_models": "run_id varchar(64) not null, model_name varchar(256) not null, kind varchar(16) not null,"
    " status varchar(16) not null, duration_seconds numeric(12, 3), row_count bigint",
}


class AnotherNight(Exception):
    """Another night is running."""


@dataclasses.dataclass
class Step:
    name: str
    started_at: str
    seconds: float = 0.0
    status: str = "running"
    """running, ok, failed, stopped."""
    attempts: int = 0
    rows: int | None = None


@dataclasses.dataclass
class Run:
    run_id: str
    started_at: str
    code: str
    """The commit."""
    seeds: str
    """A hash of the seeds' files."""
    status: str = "running"
    """running, published, failed, refused (another night is running), stopped, killed."""
    ended_at: str = ""
    exit_code: int | None = None
    is_published: bool = False
    landed_at: str = ""
    rows: int = 0
    """Rows read by the landing."""
    exceptions: int = 0
    """Values beyond their type, and rows against a rule of the source."""
    steps: list[Step] = dataclasses.field(default_factory=list)
    models: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    tests: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    """By dimension and status."""
    jumps: list[str] = dataclasses.field(default_factory=list)
    rules: list[str] = dataclasses.field(default_factory=list)
    problems: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    is_loaded: bool = False

    @property
    def seconds(self) -> float:
        return round(sum(step.seconds for step in self.steps), 1)

    @property
    def log(self) -> Path:
        return FOLDER / f"{self.run_id}.log"


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def begin() -> Run:
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    seeds = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path("seeds").glob("*.csv")))).hexdigest()[:12]
    started = now()
    run = Run(f"{started[:19].replace(':', '')}Z-{os.getpid()}", started, commit.stdout.strip(), seeds)
    save(run)
    return run


def save(run: Run) -> None:
    write(FOLDER / f"{run.run_id}.json", dataclasses.asdict(run))


def write(path: Path, content: Any) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def runs() -> list[Run]:
    """The latest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("2*.json")]
    read = [Run(**content | {"steps": [Step(**step) for step in content["steps"]]}) for content in found]
    return sorted(read, key=lambda run: run.started_at, reverse=True)


def last_published() -> Run | None:
    return next((run for run in runs() if run.is_published), None)


def rotate(keep: int) -> None:
    """Remove the oldest runs and their logs, if the warehouse has them."""
    for run in [run for run in runs() if run.status != "running"][keep:]:
        if run.is_loaded:
            run.log.unlink(missing_ok=True)
            (FOLDER / f"{run.run_id}.json").unlink()


def killed() -> list[Run]:
    """Runs without an end, asked for under the lock. Each is found once."""
    found = [run for run in runs() if run.status == "running" and not run.run_id.endswith(f"-{os.getpid()}")]
    for run in found:
        run.status = "killed"
        save(run)
    return found


@contextlib.contextmanager
def alone(wait: float, name: str = "lock") -> Iterator[None]:
    """Hold a lock of this machine; it ends with the process. Raises ``AnotherNight`` after ``wait`` seconds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / name).open("w") as file:
        until = time.monotonic() + wait
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > until:
                raise AnotherNight("Another night is running on this machine.")
            time.sleep(0.2)
        yield


def settings() -> Settings:
    """The landing's settings, with dbt's login. Raises ``SettingsError``."""
    environment = dict(os.environ)
    login = {"INGEST_USER": environment.get("DBT_USER", ""), "INGEST_PASSWORD": environment.get("DBT_PASSWORD", "")}
    return from_environment(environment | login if login["INGEST_USER"] else environment)


def lock_of_the_warehouse(settings: Settings, wait: int) -> Any:
    """A connection with the lock of all machines, until it is closed. It locks a table: Redshift has no other lock.

    Raises:
        WarehouseUnavailable: there is no lock to be had.
        AnotherNight: another one has it, and did not end within ``wait`` seconds.
    """
    connection, schema = connect(settings), quality_schema()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create schema if not exists {schema}")
            cursor.execute(f"create table if not exists {schema}.night_lock (holder integer)")
            cursor.execute(f"set statement_timeout to {max(1, wait) * 1000}")
            cursor.execute("begin")
            cursor.execute(f"lock table {schema}.night_lock")
    except psycopg2.Error as error:
        connection.close()
        if error.pgcode != psycopg2.errorcodes.QUERY_CANCELED:
            raise WarehouseUnavailable(f"SQLSTATE {error.pgcode}") from None
        raise AnotherNight("Another night is running, by the lock in the warehouse.") from None
    return connection


@contextlib.contextmanager
def raw_tables_stand_still() -> Iterator[None]:
    """Inside, a follower does not land: tests of a build would see rows that its models do not have.

    Any other landing may. On Redshift nobody follows.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(SettingsError, WarehouseUnavailable, AnotherLanding):
            found = settings()
            if found.warehouse == "postgres":
                held.enter_context(contextlib.closing(locked_session(found, "build")))
        yield


def load(settings: Settings) -> None:
    """Load every ended run not yet in the warehouse. Raises ``WarehouseUnavailable``, ``psycopg2.Error``."""
    connection = connect(settings)
    connection.autocommit = False
    schema = quality_schema()
    due = [run for run in reversed(runs()) if not run.is_loaded and run.status != "running"]
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"create schema if not exists {schema}")
            for table, columns in _TABLES.items():
                cursor.execute(f"create table if not exists {schema}.{table} ({columns})")
                cursor.execute(
                    f"delete from {schema}.{table} where run_id in %s", (("", *(run.run_id for run in due)),)
                )
                rows = [row for run in due for row in _rows(table, run)]
                if rows:
                    execute_values(cursor, f"insert into {schema}.{table} values %s", rows)
    finally:
        connection.close()
    for run in due:
        run.is_loaded = True
        save(run)


def last_published_of_the_warehouse(settings: Settings) -> str:
    """When the last night ended well; empty if there is none."""
    with contextlib.closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"select max(ended_at) from {quality_schema()}.runs where is_published")
        (when,) = cursor.fetchone()
    return f"{when.isoformat()}+00:00" if when else ""


def quality_schema() -> str:
    prefix = os.environ.get("DBT_SCHEMA_PREFIX", "").strip()
    return f"{prefix}_quality" if prefix else "quality"


def _rows(table: str, run: Run) -> list[tuple[Any, ...]]:
    def moment(text: str) -> str | None:
        return text.replace("T", " ")[:23] or None

    if table == "run_steps":
        steps = enumerate(run.steps, 1)
        return [
            (run.run_id, n, s.name, moment(s.started_at), s.seconds, s.status, s.attempts, s.rows) for n, s in steps
        ]
    if table == "run_models":
        return [(run.run_id, m["name"], m["kind"], m["status"], m["seconds"], m["rows"]) for m in run.models]
    what = "; ".join(problem["what"] for problem in run.problems)[:500]
    times = (moment(time) for time in (run.started_at, run.ended_at, run.landed_at))
    ended = (run.status, run.exit_code, run.is_published, what, run.code, run.seeds, run.rows, run.exceptions)
    return [(run.run_id, *times, *ended)]
