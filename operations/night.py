"""One night: lock, land, build and test, publish, freshness, docs, dashboards, page. A step passes or has a problem."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from landing.environment import SettingsError
from landing.warehouse.session import WarehouseUnavailable
from operations import alerts, records, status
from operations.problems import WORTH_A_RETRY, Problem, of_dbt, of_landing
from operations.records import Step

TARGET = Path("target/night")
_BUILDS = 3
"""At most so many, if a landing is published during each."""
_JUMP, _RULE = "profile of the landing: ", "rule of the source "


class Night:
    """A run, from its lock to its page."""

    def __init__(self, land: bool, full_refresh: bool) -> None:
        self._land, self._full_refresh = land, full_refresh
        self._retries, self._pause = setting("NIGHT_RETRIES", 2), setting("NIGHT_RETRY_SECONDS", 60)
        self._keep, self._wait = max(1, setting("NIGHT_KEEP", 30)), setting("NIGHT_WAIT_SECONDS", 0)
        self._console = os.fdopen(os.dup(2), "w")
        self._problems: list[Problem] = []
        self._passed: set[str] = set()
        self._stopped = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._warnings: list[str] = []
        self._project: Any = None

    def run(self) -> int:
        """The exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._run = records.begin()
        with contextlib.ExitStack() as locks:
            if self._lock(locks):
                self._log()
                for run in records.killed():
                    at = run.steps[-1].name if run.steps else "its start"
                    what = f"the run of {alerts.minute(run.started_at)} was killed at {at}"
                    alerts.tell([Problem("end", "killed-run", what)], set(), run.log, self._console)
                with contextlib.suppress(KeyboardInterrupt):
                    self._steps()
            return self._end()

    def _lock(self, locks: contextlib.ExitStack) -> bool:
        """The locks of this machine and of the warehouse. A warehouse that is down is a problem of the landing."""
        try:
            locks.enter_context(records.alone(self._wait))
            with contextlib.suppress(WarehouseUnavailable, SettingsError):
                locks.enter_context(contextlib.closing(records.lock_of_the_warehouse(records.settings(), self._wait)))
        except records.AnotherNight as error:
            self._problems.append(Problem("lock", "two-runs-at-once", f"{error} This one did nothing."))
            return False
        self._passed.add("lock")
        return True

    def _log(self) -> None:
        """From here on all that is printed goes to the log; the console gets a line a step."""
        log = os.open(self._run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        for number in (1, 2):
            os.dup2(log, number)
        os.environ |= {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    def _steps(self) -> None:
        parsed = threading.Thread(target=self._parse)
        parsed.start()  # while the landing waits for its servers
        self._run.landed_at = "" if self._land else next((run.landed_at for run in records.runs() if run.landed_at), "")
        landed = not self._land or self._step("land", self._landing)
        parsed.join()
        with records.raw_tables_stand_still():
            published = landed and self._build_and_publish()
        if published:
            self._passed.add("published")
            self._run.is_published = True
            self._step("freshness", lambda step: self._dbt(step, "source", "freshness"))
            os.environ.pop("DBT_SET", None)
            if os.environ.get("NIGHT_PAGES", "").strip() != "false":
                self._step("docs", self._docs)
                if Path("serving/dashboards").exists():
                    self._step("dashboards", self._dashboards)

    def _build_and_publish(self) -> bool:
        build = ["build", "--exclude-resource-type", "unit_test", *(["--full-refresh"] if self._full_refresh else [])]
        for number in range(1, _BUILDS + 1):
            if not self._step("build", lambda step: self._dbt(step, *build)):
                return False
            if self._step("publish", lambda step: self._dbt(step, "run-operation", "publish")):
                return True
            if self._problems[-1].runbook != "landed-meanwhile" or number == _BUILDS:
                return False
            self._problems.pop()
        return False

    def _step(self, name: str, work: Callable[[Step], Problem | None]) -> bool:
        """Whether it passed, perhaps after another try: of a server that is away, never of a test."""
        if self._stopped:
            return False
        step = Step(name, records.now())
        self._run.steps.append(step)
        records.save(self._run)
        started, problem = time.monotonic(), None
        with contextlib.suppress(KeyboardInterrupt):
            while not self._stopped:
                step.attempts += 1
                problem = self._try(step, work)
                if problem is None or problem.runbook not in WORTH_A_RETRY or step.attempts > self._retries:
                    break
                self._say(f"{name}: {problem.what} Again in {self._pause} s.")
                time.sleep(self._pause)
        step.seconds = round(time.monotonic() - started, 3)
        step.status = "stopped" if self._stopped else "failed" if problem else "ok"
        if problem and not self._stopped:
            self._problems.append(problem)
        if step.status == "ok":
            self._passed.add(name)
        rows = "" if step.rows is None else f"  {step.rows:,} rows"
        self._say(f"{name:<11}{step.status:<8}{step.seconds:7.1f} s{rows}")
        return step.status == "ok"

    def _try(self, step: Step, work: Callable[[Step], Problem | None]) -> Problem | None:
        try:
            return work(step)
        except Exception as error:  # a fault of the night's own ends in an alert, too; its message may quote a row
            traceback.print_tb(error.__traceback__)
            return Problem(step.name, "other", f"{type(error).__name__} in the step {step.name}")

    def _landing(self, step: Step) -> Problem | None:
        report = records.FOLDER / f"{self._run.run_id}.landing"
        code = self._call("ingestion", "--quiet", "--report", str(report))
        said = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
        report.unlink(missing_ok=True)
        tables = said.get("tables", ())
        step.rows = self._run.rows = sum(table["rows"] for table in tables)
        self._run.exceptions = sum(table["cast_exceptions"] for table in tables)
        self._run.landed_at = said.get("loaded_at", "")
        return of_landing(code, said) if code else None

    def _parse(self) -> None:
        """Once for build, publication and freshness: all of them see the work set."""
        from dbt.cli.main import dbtRunner

        os.environ["DBT_SET"] = "next"
        found = dbtRunner().invoke(["parse", "--quiet", "--no-use-colors", "--target-path", str(TARGET)])
        self._project = found.result if found.success else None

    def _dbt(self, step: Step, *words: str) -> Problem | None:
        from dbt.cli.main import dbtRunner

        self._warnings.clear()
        runner = dbtRunner(self._project, callbacks=[self._hear])
        result = runner.invoke([*words, "--no-use-colors", "--target-path", str(TARGET)])
        results = getattr(result.result, "results", ())
        if step.name == "build":
            self._keep_results(results)
        return None if result.success else of_dbt(step.name, results, result.exception)

    def _hear(self, event: Any) -> None:
        if event.info.name == "JinjaLogWarning":
            self._warnings.append(str(event.data.msg))

    def _keep_results(self, results: Any) -> None:
        """Durations and rows of models, tests by dimension, and what was said of the landing's profile and rules."""
        of_kinds = yaml.safe_load(Path("dbt_project.yml").read_text(encoding="utf-8"))["vars"]["quality_dimensions"]
        self._run.models, self._run.tests = [], {}
        for result in results:
            node, status = result.node, str(result.status)
            if node.resource_type == "test":
                kind = getattr(getattr(node, "test_metadata", None), "name", "")
                dimension = node.config.meta.get("dimension") or of_kinds.get(kind, "unclassified")
                counts = self._run.tests.setdefault(dimension, {})
                counts[status] = counts.get(status, 0) + 1
            elif node.resource_type in ("model", "snapshot", "seed"):
                rows = result.adapter_response.get("rows_affected")
                model = {"name": node.name, "kind": str(node.resource_type.value), "status": status}
                model |= {"seconds": round(result.execution_time, 3), "rows": rows if (rows or -1) >= 0 else None}
                self._run.models.append(model)
        # up to what the sentence says of rows: keys and remedies stay in the log
        self._run.jumps = [said.split(": ", 1)[1].split(". If")[0] for said in self._warnings if said.startswith(_JUMP)]
        self._run.rules = [said.split(_RULE)[1].split("), first")[0] + ")" for said in self._warnings if _RULE in said]
        self._run.exceptions += sum(m["rows"] or 0 for m in self._run.models if m["name"] == "source_exceptions")
        from catalog.project import keep_build_results

        keep_build_results(TARGET)

    def _docs(self, _: Step) -> Problem | None:
        """Of the public marts, so dbt reads the project again."""
        from dbt.cli.main import dbtRunner

        from catalog import site
        from catalog.lineage import LineageError

        target = Path(os.environ.get("DBT_TARGET_PATH") or "target")
        for name in ("last_build.json", "sources.json"):
            if (TARGET / name).exists():
                shutil.copyfile(TARGET / name, target / name)
        result = dbtRunner().invoke(["docs", "generate", "--static", "--no-use-colors", "--quiet"])
        if not result.success:
            return of_dbt("docs", getattr(result.result, "results", ()), result.exception)
        try:
            site.write(target)
        except (LineageError, OSError, psycopg2.Error) as error:
            return Problem("docs", "pages", f"the docs stay as they were ({type(error).__name__})")
        return None

    def _dashboards(self, _: Step) -> Problem | None:
        code = self._call("serving.dashboards")
        return Problem("dashboards", "pages", f"the dashboards stay as they were (exit code {code})") if code else None

    def _call(self, *words: str) -> int:
        """A program of the project, its output in the log."""
        command = [sys.executable, "-m", *words]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            return self._child.wait()
        except KeyboardInterrupt:  # the child was told: a landing ends after its statement
            return self._child.wait()
        finally:
            self._child = None

    def _end(self) -> int:
        """Record, alert, page."""
        run, published, refused = self._run, self._run.is_published, "lock" not in self._passed
        if self._stopped:
            name = signal.Signals(self._stopped).name
            what = f"the run was stopped by {name} at {run.steps[-1].name if run.steps else 'its start'}"
            self._problems.append(Problem("end", "killed-run", what))
        elif not refused:
            self._passed.add("end")
        run.status = "stopped" if self._stopped else "published" if published else "refused" if refused else "failed"
        first = self._problems[0] if self._problems else None
        run.exit_code = 128 + self._stopped if self._stopped else first.exit_code(published) if first else 0
        run.ended_at = records.now()
        run.problems = [dataclasses.asdict(problem) for problem in self._problems]
        records.save(run)
        if not refused:
            try:
                records.load(records.settings())
            except (SettingsError, WarehouseUnavailable, psycopg2.Error) as error:
                self._say(f"The record is loaded by the next run ({type(error).__name__}).")
        alerts.tell(self._problems, self._passed, None if refused else run.log, self._console)
        if not refused:
            records.rotate(self._keep)
            status.write()
        self._say(f"{run.status}, exit code {run.exit_code}, {run.seconds} s; {run.log if not refused else 'no log'}")
        return run.exit_code

    def _stop(self, number: int, _frame: object) -> None:
        """dbt hears of SIGINT by itself; a second signal ends the process at once."""
        self._stopped = number
        signal.signal(number, signal.SIG_DFL)
        if self._child:
            self._child.send_signal(number)
        raise KeyboardInterrupt

    def _say(self, line: str) -> None:
        print(line, flush=True)
        print(line, file=self._console, flush=True)


def setting(name: str, default: int) -> int:
    """Raises ``SettingsError``."""
    try:
        return int(os.environ.get(name, "").strip() or default)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number.") from None
