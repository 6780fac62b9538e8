"""Build each mutant on a copy of the same warehouse and see whether one of dbt's tests turns red."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dbt.adapters.sql.connections import SQLConnectionManager
from dbt.cli.main import dbtRunner

from sandbox import home
from tests.conftest import PROJECT, Servers
from tests.mutations import ground
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.mutants import Mutant, mutants_of

FOLDER = home.SANDBOX / "mutations"
# The macros that models are made of; the others are dbt's own hooks.
MACROS = ("incremental", "keys", "metrics", "month_end", "versions")
WORKERS = 2

# What says that the mutant is no query at all: no test had to notice it, and it counts for nothing.
_NO_QUERY = re.compile(
    "does not exist|syntax error|must appear in the GROUP BY|cannot cast|is ambiguous|specified more than once"
    "|cannot be matched|missing FROM-clause|must be type|not allowed in|could not identify|invalid input syntax"
    "|nested|must have the same number|must return|Compilation Error in (?!model .*contract)|invalid reference"
    "|could not determine|could not convert type"
)


@dataclasses.dataclass
class Verdict:
    mutant: Mutant
    status: str
    """killed, survived, or no query."""
    killer: str = ""
    """What kind of test noticed it: unit test, data test, contract, database, time limit."""
    by: str = ""
    """The name of that test or model, and what kind of build it was."""
    seconds: float = 0.0


def all_mutants() -> list[Mutant]:
    """Every mutant of the intermediate models, the marts and the macros they are made of, and of what staging trims."""
    paths = [
        *sorted(PROJECT.glob("models/intermediate/*.sql")),
        *sorted(PROJECT.glob("models/marts/*.sql")),
        *sorted(PROJECT.glob("models/staging/*/*.sql")),
        *(PROJECT / "macros" / f"{name}.sql" for name in MACROS),
    ]
    found: list[Mutant] = []
    for path in paths:
        mutants = mutants_of(path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8"))
        # Of staging, which renames and no more, the blanks that it takes off.
        found += [m for m in mutants if not m.path.startswith("models/staging/") or m.operator == "case and blanks"]
    return found


def run(servers: Servers, mutants: Sequence[Mutant], unit_tests: bool = True) -> list[Verdict]:
    """Build every mutant; those of one file share the state of the warehouse that they start from."""
    before, folder = os.environ.copy(), Path.cwd()
    os.environ |= ground.dbt_environment(servers, PROJECT)
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        manifest = ground.prepare(servers, FOLDER / "target").result
        of_file: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            of_file[mutant.path].append(mutant)
        batches = [batch[start : start + 12] for batch in of_file.values() for start in range(0, len(batch), 12)]
        batches.sort(key=len, reverse=True)
        verdicts: list[Verdict] = []
        with ProcessPoolExecutor(WORKERS, get_context("spawn"), _start_worker, (dict(os.environ), unit_tests)) as pool:
            _check_that_unharmed_models_pass(pool)
            work = [pool.submit(_build_batch, batch, _models_of(batch[0], manifest)) for batch in batches]
            for done in as_completed(work):
                verdicts += done.result()
                for verdict in done.result():
                    if verdict.status == "survived" and verdict.mutant.key not in EQUIVALENT:
                        print(f"survived: line {verdict.mutant.line}, {verdict.mutant.operator}, {verdict.mutant.key}")
                print(f"{len(verdicts)} of {len(mutants)} mutants built", flush=True)
        ground.drop_databases([ground.LANDED])
        return verdicts
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _check_that_unharmed_models_pass(pool: ProcessPoolExecutor) -> None:
    """Else every mutant would seem to be killed."""
    builds = ((ground.LANDED, False), (ground.LANDED, True))
    running = [pool.submit(_build_unharmed, *build) for build in builds]
    failed = [failure for build in running for failure in build.result()]
    assert not failed, f"the models as they are fail their tests: {failed}"


def _models_of(mutant: Mutant, manifest: Any) -> list[str]:
    """The models that a file is, or that a file of macros is part of."""
    if not mutant.path.startswith("macros/"):
        return [mutant.name]
    path = mutant.path
    users = {
        key
        for key, macro in manifest.macros.items()
        if macro.original_file_path == path and macro.package_name == "classicmodels"
    }
    while True:
        more = {key for key, macro in manifest.macros.items() if users & set(macro.depends_on.macros)} - users
        if not more:
            break
        users |= more
    return sorted(
        node.name
        for node in manifest.nodes.values()
        if node.resource_type == "model" and users & set(node.depends_on.macros)
    )


class _Worker:
    """A copy of the project, a warehouse of its own and a dbt that has read the project."""

    def __init__(self, unit_tests: bool):
        self.folder = FOLDER / f"worker_{os.getpid()}"
        self.unit_tests = unit_tests
        self.failures: list[tuple[str, str, str]] = []
        for name in ground.FOLDERS:
            shutil.copytree(PROJECT / name, self.folder / name)
        shutil.copy(PROJECT / "dbt_project.yml", self.folder)
        self.prepared, self.database = f"mutants_prepared_{os.getpid()}", f"mutant_{os.getpid()}"
        os.environ |= {
            "DBT_PROFILES_DIR": str(self.folder / "profiles"),
            "DBT_PROJECT_DIR": str(self.folder),
            "PGDATABASE": self.database,
        }
        os.chdir(self.folder)
        self.project: Any = dbtRunner().invoke(["--quiet", "parse", *self.options()]).result

    def options(self) -> list[str]:
        return ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "target")]

    def notice(self, event: Any) -> None:
        if event.info.name == "NodeFinished" and event.data.node_info.node_status in ("error", "fail", "runtime error"):
            info = event.data.node_info
            self.failures.append((str(info.resource_type), str(info.node_name), str(event.data.run_result.message)))

    def dbt(self, *words: str, read_again: bool = False) -> list[tuple[str, str, str]]:
        """Kind, name and message of everything that went wrong."""
        self.failures.clear()
        runner = dbtRunner(None if read_again else self.project, callbacks=[self.notice])
        result = runner.invoke(["--quiet", "--log-level", "none", "--no-write-json", *words, *self.options()])
        failures = list(self.failures)
        if not failures and not result.success:
            failures.append(("project", "dbt", str(result.exception)))
        return failures

    def prepare(self, landed: str, selection: list[str]) -> None:
        """Build the last day of everything but the selection."""
        ground.copy_database(landed, self.database)
        failures = self.dbt("build", "--exclude-resource-type", "test", "unit_test", "--exclude", *selection)
        assert not failures, failures
        ground.copy_database(self.database, self.prepared)

    def judge(self, mutant: Mutant, selection: list[str]) -> Verdict:
        started = time.monotonic()
        path = self.folder / mutant.path
        text = path.read_text(encoding="utf-8")
        verdict = Verdict(mutant, "survived")
        model = self.project.nodes.get(f"model.classicmodels.{mutant.name}")
        # Reading the project again takes longer than most builds, and only macros and configurations need it.
        read_again = model is None or mutant.line <= text[: max(text.find(")\n}}"), 0)].count("\n") + 1
        if read_again:
            path.write_text(mutant.apply(text), encoding="utf-8")
        else:
            model.raw_code = mutant.apply(text).strip()
        try:
            for build in ("incremental", "full refresh"):
                words = ["build", "--fail-fast", "--select", *selection]
                if build == "full refresh":
                    words.append("--full-refresh")
                if build == "full refresh" or not self.unit_tests:
                    words += ["--exclude-resource-type", "unit_test"]
                ground.copy_database(self.prepared, self.database)
                failures = self.dbt(*words, read_again=read_again)
                if failures:
                    verdict = _judgement(mutant, failures, build)
                    break
        finally:
            path.write_text(text, encoding="utf-8")
            if model is not None:
                model.raw_code = text.strip()
        verdict.seconds = time.monotonic() - started
        return verdict


def _judgement(mutant: Mutant, failures: list[tuple[str, str, str]], build: str) -> Verdict:
    for kind, name, message in failures:
        if kind == "project" or _NO_QUERY.search(message):
            return Verdict(mutant, "no query", by=f"{name}: {message.strip()[:300]}")
    kind, name, message = failures[0]
    if "statement timeout" in message:
        killer = "time limit"
    elif kind in ("unit_test", "test"):
        killer = {"unit_test": "unit test", "test": "data test"}[kind]
    elif "contract" in message or "violates" in message:
        killer = "contract"
    else:
        killer = "database"
    return Verdict(
        mutant,
        "killed",
        killer,
        f"{name} ({build})" if killer != "database" else f"{name}: {' '.join(message.split())[:160]}",
    )


_worker: _Worker


def _start_worker(environment: dict[str, str], unit_tests: bool) -> None:
    global _worker
    os.environ.update(environment)
    _limit_results()
    _worker = _Worker(unit_tests)


def _limit_results() -> None:
    """Let dbt read a thousand rows of a result at most.

    A mutant that joins everything to everything makes a unit test's query return millions, and dbt takes hours and all
    memory to draw their difference from the ten that are expected. The first thousand differ from them as well.
    """
    read = SQLConnectionManager.get_result_from_cursor

    def read_first(cursor: Any, limit: int | None) -> Any:
        return read(cursor, min(limit or 1000, 1000))

    SQLConnectionManager.get_result_from_cursor = staticmethod(read_first)  # type: ignore[method-assign]


def _build_unharmed(landed: str, full_refresh: bool) -> list[tuple[str, str, str]]:
    ground.copy_database(landed, _worker.database)
    return _worker.dbt("build", *(["--full-refresh"] if full_refresh else []))


def _build_batch(batch: list[Mutant], models: list[str]) -> list[Verdict]:
    selection = [f"{model}+" for model in models]
    _worker.prepare(ground.LANDED, selection)
    return [_worker.judge(mutant, selection) for mutant in batch]
