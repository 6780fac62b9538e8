"""The steps of an erasure: plan, tables, files; and its report."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg2

from catalog.lineage import LineageError
from landing.settings import SettingsError, from_environment
from landing.warehouse.session import AnotherLanding, WarehouseUnavailable, explain
from privacy import ErasureError, Unfinished, files, plan
from privacy.tables import ErasureCounts, ErasureSession
from sandbox.home import PROJECT


def command(subject: str, key: str | None, dry_run: bool) -> int:
    """``python -m privacy erase``: one person, or without a key everybody on the list; returns the exit code."""
    try:
        return _run(subject, key, dry_run)
    except Unfinished as error:
        code, message = 3, str(error)
    except (ErasureError, SettingsError, LineageError) as error:
        code, message = 2, str(error)
    except (WarehouseUnavailable, AnotherLanding) as error:
        code, message = 3, str(error)
    except OSError as error:
        code, message = 3, f"{error.filename}: {error.strerror}. What is left goes with the next run."
    print(f"error: {message}", file=sys.stderr)
    return code


def _run(subject: str, key: str | None, dry_run: bool) -> int:
    """``key`` of one person; None for everybody on the list."""
    if os.environ.get("DBT_TARGET") == "redshift":
        raise ErasureError("Erasing is done in Postgres; unset DBT_TARGET.")
    # the owner, not the landing's own role: that one may not touch what dbt built
    own = ("INGEST_USER", "INGEST_PASSWORD", "INGEST_PASSWORD_FILE")
    settings = from_environment({name: value for name, value in os.environ.items() if name not in own})
    if not settings.erasure_key:
        raise ErasureError("ERASURE_KEY is not set: the list of who was erased is written under it. See .env.example.")
    wanted = plan.make(_compiled(), settings.raw_schema, subject)
    warehouse = ErasureSession(settings)
    try:
        keys = [key] if key else warehouse.listed(wanted)
        done = ErasureCounts({}, {}, False)
        for one in keys:
            done.add(warehouse.erase(wanted, one, dry_run=dry_run))
        removed: dict[str, int] = {}
        if done.is_new:
            for folder, paths in files.find(settings).items():
                removed[folder] = files.count(paths)
                if not dry_run:
                    files.remove(paths)
            if not dry_run:
                warehouse.finish(wanted, keys, removed)
        elsewhere = warehouse.elsewhere(wanted)
    except psycopg2.Error as error:
        raise WarehouseUnavailable(explain(error, settings)) from None
    finally:
        warehouse.close()
    who = f"{subject} {key}" if key else f"{subject}, {len(keys)} on the list"
    print(_summary(wanted, done, removed, elsewhere, who, dry_run))
    return 1 if elsewhere else 0


def _compiled() -> dict[str, Any]:
    """dbt's manifest as the project is now, with compiled SQL; its files go at once."""
    known = PROJECT / (os.environ.get("DBT_TARGET_PATH") or "target") / "partial_parse.msgpack"
    with tempfile.TemporaryDirectory(prefix="erasure-") as folder:
        command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-use-colors", "compile"]
        command += ["--exclude", "resource_type:test", "resource_type:unit_test"]
        command += ["--target-path", folder, "--log-path", folder]
        command += ["--partial-parse-file-path", str(known)] if known.exists() else []
        profiles = {"DBT_PROFILES_DIR": os.environ.get("DBT_PROFILES_DIR") or str(PROJECT / "profiles"), "DBT_SET": ""}
        result = subprocess.run(
            command, cwd=PROJECT, env=os.environ | profiles, capture_output=True, text=True, check=False
        )
        if result.returncode:
            lines = result.stdout.strip() or result.stderr.strip()
            raise ErasureError(f"dbt could not compile the project; nothing was changed.\n{lines}")
        manifest: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
        return manifest


def _summary(
    wanted: plan.ErasurePlan,
    done: ErasureCounts,
    removed: dict[str, int],
    elsewhere: dict[str, str],
    who: str,
    dry_run: bool,
) -> str:
    lines = [f"{table:<50}{count:>10,} rows" for table, count in done.rows.items()]
    lines += [f"{schema:<50}{count:>10,} tables dropped" for schema, count in done.dropped.items()]
    lines += [f"{folder:<50}{count:>10,} files removed" for folder, count in removed.items()]
    if not done.is_new:
        lines.append(f"{who}: erased before, nothing was left to erase, nothing was changed.")
    else:
        lines.append(f"{who}: {'would be erased; nothing was changed' if dry_run else 'erased'}.")
    lines += [f"Stays, as it names nobody: {', '.join(wanted.kept)}."] if wanted.kept else []
    lines += [
        f"warning: {table} {why}, is no source or model of this project, and was not touched"
        for table, why in elsewhere.items()
    ]
    return "\n".join(lines)
