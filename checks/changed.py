"""The linters on changed files only. Needs no server and no dbt."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import CheckError, git
from sandbox import home

_SQL_FOLDERS = ("models", "tests/singular", "privacy")
# As `make lint` does it: everything in one dialect, what the other reads differently in the other.
_DIALECTS = (("postgres", ()), ("redshift", ("--rules", "capitalisation.keywords")))


@dataclasses.dataclass(frozen=True, order=True)
class LintFinding:
    path: str
    line: int
    column: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.rule} {self.text}"

    def annotation(self) -> str:
        """The finding as GitHub shows it beside the line."""
        text = self.text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        path = self.path.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
        return f"::warning file={path},line={self.line},col={self.column}::{self.rule}: {text}"


def findings(files: Sequence[Path]) -> list[LintFinding]:
    """What the linters find in these files, in order of place.

    Raises:
        CheckError: a linter did not run.
    """
    sql = [path for path in files if path.suffix == ".sql" and path.as_posix().startswith(_SQL_FOLDERS)]
    code = [path for path in files if path.suffix == ".py"]
    with ThreadPoolExecutor() as pool:
        work = [pool.submit(_sqlfluff, sql, dialect, options) for dialect, options in _DIALECTS if sql]
        work += [pool.submit(step, code) for step in (_ruff, _ruff_format) if code]
    return sorted({finding for done in work for finding in done.result()})


def announce(found: Sequence[LintFinding]) -> None:
    """Print the findings; on GitHub as annotations too."""
    for finding in found:
        print(finding.annotation() if os.environ.get("GITHUB_ACTIONS") else finding)


def _sqlfluff(files: Sequence[Path], dialect: str, options: Sequence[str]) -> list[LintFinding]:
    # Processes cost more than they save on a handful of files.
    words = ["lint", "--dialect", dialect, *options, "--format", "json", "--processes", "1", "--disable-progress-bar"]
    report = json.loads(_run("sqlfluff", *words, *files))
    return [
        LintFinding(
            file["filepath"],
            violation.get("start_line_no", 1),
            violation.get("start_line_pos", 1),
            violation["code"],
            violation["description"],
        )
        for file in report
        for violation in file["violations"]
    ]


def _ruff(files: Sequence[Path]) -> list[LintFinding]:
    return [
        LintFinding(
            os.path.relpath(item["filename"], home.PROJECT),
            item["location"]["row"],
            item["location"]["column"],
            item["code"] or "syntax",
            item["message"],
        )
        for item in json.loads(_run("ruff", "check", "--output-format", "json", "--force-exclude", *files))
    ]


def _ruff_format(files: Sequence[Path]) -> list[LintFinding]:
    words = ("format", "--check", "--force-exclude", "--quiet", "--diff")
    changed = [line[4:].split("\t")[0] for line in _run("ruff", *words, *files).splitlines() if line.startswith("--- ")]
    return [LintFinding(path, 1, 1, "format", "not formatted: run ruff format") for path in changed]


def _run(tool: str, *words: str | Path) -> str:
    program = Path(sys.executable).with_name(tool)
    result = subprocess.run([program, *words], cwd=home.PROJECT, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):  # 1: there are findings
        raise CheckError(f"{tool} did not run: {(result.stderr.strip().splitlines() or ['no message'])[-1]}")
    return result.stdout


def command(base: str) -> int:
    """``python -m checks changed``: print the findings; returns the exit code."""
    try:
        files = git.changed_files(git.base_commit(base))
        found = findings(files)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    announce(found)
    print(f"{len(files)} changed files, {len(found)} findings.")
    return 1 if found else 0
