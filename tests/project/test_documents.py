"""The documents keep to their budgets, and all that they point to is there."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

BUDGETS = {"README.md": 100, "CONTRIBUTING.md": 130, "DECISIONS.md": 300, "benchmarks/RESULTS.md": 60}
WIDTH = 110
LINES_OF_A_DECISION = 6
FILE = re.compile(r"\.?[\w-][\w.-]*(?:/[\w.-]+)*(?:/|\.(?:cfg|css|html|ini|js|md|py|sh|sql|svg|toml|txt|yml))")
"""What a code span names if all of it looks like this."""


def git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()


FILES = git("ls-files", "--cached", "--others", "--exclude-standard")
PAGES = sorted(name for name in FILES if name.endswith(".md") and (PROJECT / name).is_file())
MADE = tuple(line.strip() for line in (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines())
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
page = pytest.mark.parametrize("name", PAGES)


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def code(text: str) -> Iterator[str]:
    """Code spans and the lines of code blocks."""
    yield from re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_blocks(text)))


def anchors(text: str) -> set[str]:
    """The names that GitHub gives headings."""
    headings = re.findall(r"^#+ (.*)", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", BUDGETS)
def test_a_document_keeps_to_its_budget_of_lines(name: str) -> None:
    assert len(read(name).splitlines()) <= BUDGETS[name]


def test_a_decision_is_said_in_six_lines() -> None:
    entries = re.findall(r"^- .*(?:\n  .*)*", read("DECISIONS.md"), re.MULTILINE)
    assert len(entries) > 50
    assert not [entry[:60] for entry in entries if len(entry.splitlines()) > LINES_OF_A_DECISION]


@page
def test_lines_are_wrapped(name: str) -> None:
    """Tables, code and a line that holds a link may be wider."""
    lines = without_blocks(read(name)).splitlines()
    assert not [line for line in lines if len(line) > WIDTH and not line.lstrip().startswith("|") and "](" not in line]


@page
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(read(name))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        file = ((PROJECT / name).parent / path if path else PROJECT / name).resolve()
        if file.is_relative_to(PROJECT) and str(file.relative_to(PROJECT)).startswith(MADE):
            continue
        assert file.exists(), f"{name}: {link} is not there"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), f"{name}: {link} has no such heading"


@page
def test_commands_are_there(name: str) -> None:
    for span in code(read(name)):
        targets = set(re.findall(r"\bmake ([a-z][a-z-]*)", span))
        assert targets <= TARGETS, f"{name}: make {', '.join(targets - TARGETS)}"
        for module in re.findall(r"python -m ([a-z_.]+)", span):
            path = module.replace(".", "/")
            assert {f"{path}.py", f"{path}/__main__.py"} & set(FILES), f"{name}: python -m {module}"


@page
def test_files_are_there(name: str) -> None:
    """A file is named by its path, from the project's folder or the document's, or by the end of it."""
    for span in code(read(name)):
        named = span.partition("::")[0]
        if FILE.fullmatch(named) and not named.startswith(MADE):
            path = named.rstrip("/")
            near = [PROJECT / path, (PROJECT / name).parent / path]
            there = any(map(Path.exists, near)) or any(f"/{file}".endswith(f"/{path}") for file in FILES)
            assert there, f"{name}: {named} is not there"


@page
def test_data_tests_are_there(name: str) -> None:
    named = {span for span in code(read(name)) if re.fullmatch(r"assert_\w+", span)}
    there = {path.stem for path in (PROJECT / "tests" / "singular").glob("*.sql")}
    assert named <= there, f"{name}: {named - there}"
