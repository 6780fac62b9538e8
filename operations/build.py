"""Build the public marts in place, unless the last build was of the same rows, code and day: half of ``make run``.

The decision takes no dbt, whose start alone takes seconds.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import psycopg2

from landing.environment import SettingsError
from landing.warehouse.session import WarehouseUnavailable, connect
from operations import records

_FOLDERS = ("macros", "models", "profiles", "seeds", "snapshots", "tests")
_BUILT = """
select builds.invocation_id
from {quality}.builds as builds
where builds.is_tested
    and builds.built_at = (select max(latest.built_at) from {quality}.builds as latest)
    and not exists (
        select 1 from {raw}._landing_tables as changed
        where changed.inserted + changed.updated + changed.deleted > 0
            and changed.loaded_at > builds.loaded_at at time zone 'UTC'
    )
    and cast(builds.loaded_at as date) = (
        select cast(max(landings.loaded_at) at time zone 'UTC' as date) from {raw}._landing_runs as landings
    )
"""
"""The last build, if it was complete, all its tests passed, and no row changed since. Ages change with the day."""


def build() -> int:
    """dbt's exit code; 0 if there was nothing to build."""
    stamp, code = Path(os.environ.get("DBT_TARGET_PATH") or "target") / "last_build.stamp", _code()
    if (last := _last_build()) and stamp.exists() and stamp.read_text(encoding="utf-8") == f"{code} {last}":
        print("Nothing to build: no row changed since the last build, which passed all tests with the same code.")
        return 0
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--exclude-resource-type", "unit_test"]
    with records.raw_tables_stand_still():
        result = subprocess.run(command, check=False).returncode
    if result == 0:
        stamp.write_text(f"{code} {_last_build()}", encoding="utf-8")
    return result


def _code() -> str:
    """A hash of all that dbt reads: files of the project, and the variables of its profile."""
    digest = hashlib.sha256(repr(sorted(pair for pair in os.environ.items() if _is_read(pair[0]))).encode())
    files = [Path("dbt_project.yml"), *(path for folder in _FOLDERS for path in Path(folder).rglob("*"))]
    for path in sorted(path for path in files if path.suffix in (".sql", ".yml", ".csv", ".md")):
        digest.update(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def _is_read(variable: str) -> bool:
    return variable.startswith(("DBT_", "PG", "REDSHIFT_")) or variable in ("MYSQL_DATABASE", "AS_OF")


def _last_build() -> str:
    """Its invocation; empty if all must be built, or if nobody knows."""
    with contextlib.suppress(SettingsError, WarehouseUnavailable, psycopg2.Error):
        settings = records.settings()
        with contextlib.closing(connect(settings)) as connection, connection.cursor() as cursor:
            cursor.execute(_BUILT.format(quality=records.quality_schema(), raw=settings.raw_schema))
            return str(next(iter(cursor.fetchall()), ("",))[0])
    return ""
