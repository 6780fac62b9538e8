"""SECURITY.md names the tests that show what it says: each must be there."""

import ast
import re

import pytest

from tests.conftest import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


@pytest.mark.parametrize("named", NAMED)
def test_the_test_is_there(named: str) -> None:
    file, _, name = named.partition("::")
    path = PROJECT / file
    assert path.is_file(), f"SECURITY.md names {file}"
    tests = {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }
    assert name in tests or not name, f"SECURITY.md names {named}; {file} has {', '.join(sorted(tests))}"


def test_every_line_of_the_threat_model_names_a_test() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("|")][2:]
    assert len(lines) > 10
    for line in lines:
        boundary, who, stops, shown = (cell.strip() for cell in line.strip("|").split(" | "))
        assert boundary and who and stops, line
        assert re.fullmatch(r"`tests/[\w/:.]+`(, `tests/[\w/:.]+`)*", shown), f"{boundary}: {shown}"


def test_every_security_test_is_named() -> None:
    files = {f"tests/security/{path.name}" for path in (PROJECT / "tests" / "security").glob("test_*.py")}
    assert files <= {named.partition("::")[0] for named in NAMED}, "SECURITY.md says nothing of a file"
