"""dbt for one side of the comparison, in a process of its own: both sides parse at the same time.

The process keeps the parsed project, so that build and test do not pay for start and parsing again.
"""

import dataclasses
import hashlib
import json
import os
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from review import ReviewError

Manifest = dict[str, Any]
BUILT = ("model", "snapshot", "seed")
"""The nodes that make a relation; ephemeral models make none."""
_FILES = ("dbt_project.yml", "profiles", "macros", "models", "seeds", "snapshots", "tests/singular", "tests/generic")


@dataclasses.dataclass
class NodeResult:
    """The outcome of one node."""

    status: str
    """success, error, skipped; of a test pass, fail, warn, error, skipped."""
    seconds: float
    message: str
    compiled: str
    """The SQL that ran."""


class DbtSide:
    """dbt on one checkout, writing to schemas that begin with ``prefix``."""

    def __init__(self, project: Path, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        self._project = project
        self._pool: ProcessPoolExecutor | None = None

    @property
    def target(self) -> Path:
        return self.folder / "target"

    def parse(self) -> "Future[str]":
        """Parse the project; gives dbt's error, empty if there is none."""
        return self._in_process().submit(_parse)

    def manifest(self) -> Manifest:
        """The parsed project, with the variables of ``dbt_project.yml`` under ``vars``.

        Raises:
            ReviewError: this checkout would write outside the review's schemas.
        """
        manifest: Manifest = json.loads((self.target / "manifest.json").read_text(encoding="utf-8"))
        stray = {
            node["schema"]
            for node in manifest["nodes"].values()
            if not node["schema"].startswith(f"{self.prefix}_") and node["resource_type"] != "operation"
        }
        if stray:
            raise ReviewError(
                f"its models would be built in {', '.join(sorted(stray))}: generate_schema_name of this commit does"
                " not put DBT_SCHEMA_PREFIX in front. Nothing was built; name a later BASE."
            )
        described = yaml.safe_load((self._project / "dbt_project.yml").read_text(encoding="utf-8"))
        return manifest | {"vars": described.get("vars") or {}}

    def run(self, *words: str) -> dict[str, NodeResult]:
        """Run a dbt command to its end; failed nodes are among the results.

        Raises:
            ReviewError: dbt stopped before it ran anything.
        """
        results, error = self._in_process().submit(_run, words).result()
        if error:
            raise ReviewError(f"dbt {words[0]} stopped: {error}")
        return results

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()

    def _in_process(self) -> ProcessPoolExecutor:
        if not self._pool:
            self.folder.mkdir(parents=True, exist_ok=True)
            forget(self._project, self.folder)
            arguments = (self._project, self.folder, self.prefix)
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), _start, arguments)
        return self._pool


def forget(project: Path, folder: Path) -> None:
    """Let dbt parse all anew, unless the SQL of known models is the only change since it last did.

    A partial parse after a changed macro loses what a .yml file says of a singular test, such as its severity.
    """
    digest = hashlib.sha256()
    for name in _FILES:
        for path in sorted([project / name, *project.glob(f"{name}/**/*.*")]):
            if path.is_file() and path.suffix != ".py":
                is_model = name == "models" and path.suffix == ".sql"
                digest.update(str(path).encode() + (b"" if is_model else path.read_bytes()))
    known = folder / "parsed"
    if not known.exists() or known.read_text(encoding="utf-8") != digest.hexdigest():
        (folder / "target/partial_parse.msgpack").unlink(missing_ok=True)
        known.write_text(digest.hexdigest(), encoding="utf-8")


# From here on in the side's own process.

_options: list[str] = []
_project_parsed: Any = None


def _start(project: Path, folder: Path, prefix: str) -> None:
    kept = {"DBT_TARGET", "DBT_SCHEMA", "DBT_RAW_SCHEMA"}
    for name in [name for name in os.environ if name.startswith("DBT_") and name not in kept]:
        del os.environ[name]
    # The tables exist when the unit tests run, so those of the incremental branches can.
    os.environ |= {
        "DBT_SCHEMA_PREFIX": prefix,
        "DBT_TEST_INCREMENTAL": "true",
        "DBT_RECORD_QUALITY": "false",
        "DBT_PROFILES_DIR": str(project / "profiles"),
    }
    os.chdir(project)
    _options.extend(["--quiet", "--log-level", "none", "--no-use-colors", "--no-version-check"])
    _options.extend(["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")])


def _parse() -> str:
    global _project_parsed
    from dbt.cli.main import dbtRunner

    result = dbtRunner().invoke(["parse", "--partial-parse", *_options])
    _project_parsed = result.result
    return "" if result.success else str(result.exception).strip()


def _run(words: tuple[str, ...]) -> tuple[dict[str, NodeResult], str]:
    from dbt.cli.main import dbtRunner

    if _project_parsed is None:
        error = _parse()
        if error:
            return {}, error
    # Without --no-write-json a build would overwrite the manifest that the other side defers to.
    result = dbtRunner(manifest=_project_parsed).invoke([*words, *_options, "--no-write-json"])
    if result.exception:
        return {}, str(result.exception).strip()
    return {
        item.node.unique_id: NodeResult(
            str(item.status),
            item.execution_time,
            item.message or "",
            getattr(item.node, "compiled_code", None) or "",
        )
        for item in getattr(result.result, "results", [])
    }, ""
