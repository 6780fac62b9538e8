"""What the folders promise: no circles of imports, dlt and the private parts of libraries in one place each."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

FOLDERS = (
    "benchmarks",
    "catalog",
    "checks",
    "infra",
    "ingestion",
    "landing",
    "operations",
    "privacy",
    "review",
    "sandbox",
    "serving",
)
PRIVATE = {
    # what is private, where it may be used
    r"\._(read_packet|execute_command|rfile|sock|read_timeout)\b": {"landing/mysql/packets.py"},
    r"\bPluggableRunContext\b|_job_client\b": {"ingestion/destination.py"},
}


def modules() -> dict[str, Path]:
    files = [file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py")]
    return {".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported(source: str) -> Iterator[str]:
    """Modules that are imported when this one is: not those within functions."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import each other in a circle; none, if there is no circle."""
    graph = {name: {found for found in imported(source) if found in sources} for name, source in sources.items()}
    for name, found in graph.items():
        found.discard(name)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_imports_go_in_a_circle() -> None:
    found = modules()
    assert "landing.landing" in found and "ingestion.mysql" in found
    assert circle({name: file.read_text(encoding="utf-8") for name, file in found.items()}) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": "import b", "b": "from c import x", "c": "import a"}) != []
    assert circle({"a": "import b", "b": "def f():\n    import a"}) == []


def test_the_engine_imports_no_dlt() -> None:
    users = {
        file.relative_to(PROJECT).as_posix()
        for file in modules().values()
        if re.search(r"^\s*(import|from) dlt\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    peers = {"benchmarks/peers.py"}  # stock dlt, to compare with
    assert users - peers == {"ingestion/mysql.py", "ingestion/destination.py"}


@pytest.mark.parametrize("private", PRIVATE)
def test_private_parts_of_a_library_are_used_in_one_file(private: str) -> None:
    users = {
        file.relative_to(PROJECT).as_posix()
        for file in modules().values()
        if re.search(private, file.read_text(encoding="utf-8"))
    }
    assert users == PRIVATE[private]


def test_the_script_is_small() -> None:
    lines = (PROJECT / "ingestion" / "mysql.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
