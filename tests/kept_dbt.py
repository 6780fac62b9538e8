"""dbt in a process of its own that keeps the parsed project: what follows the first command pays for no start and no parsing.

For tests of what dbt makes of the project. What ``dbt`` does when it is started by hand, ``Star.by_hand`` shows.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


class KeptDbt:
    """dbt under one environment, with a target folder of its own: the parsed project depends on both."""

    def __init__(self, environment: Mapping[str, str], target: Path) -> None:
        self._process = ProcessPoolExecutor(1, get_context("spawn"), _start, (dict(environment), target))

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one command; the exit code is that of the command line."""
        code, said = self._process.submit(_run, words).result(timeout=600)
        return subprocess.CompletedProcess(["dbt", *words], code, said)


# From here on in the kept process.

_options: list[str] = []
_project: Any = None


def _start(environment: dict[str, str], target: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(PROJECT)
    _options.extend(["--no-use-colors", "--target-path", str(target)])


def _run(words: tuple[str, ...]) -> tuple[int, str]:
    from dbt.cli.main import dbtRunner

    global _project
    with tempfile.TemporaryFile() as output:
        own = os.dup(1)
        os.dup2(output.fileno(), 1)
        try:
            if _project is None:
                _project = dbtRunner().invoke(["parse", *_options]).result
            result = dbtRunner(_project).invoke([*words, *_options])
            sys.stdout.flush()
        finally:
            os.dup2(own, 1)
            os.close(own)
        output.seek(0)
        said = output.read().decode("utf-8")
    if result.exception:
        return 2, f"{said}\n{result.exception}"
    return (0 if result.success else 1), said
