"""SECURITY.md names the tests that show what it says: each must be there."""

import re

from tests.conftest import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


def test_the_tests_are_there() -> None:
    def there(named: str) -> bool:
        file, _, name = named.partition("::")
        path = PROJECT / file
        return path.is_file() and (not name or f"\ndef {name}(" in path.read_text(encoding="utf-8"))

    assert [named for named in NAMED if not there(named)] == []


def test_every_line_of_the_threat_model_names_a_test() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("|")][2:]
    assert lines
    for line in lines:
        boundary, who, stops, shown = (cell.strip() for cell in line.strip("|").split(" | "))
        assert boundary and who and stops, line
        assert re.fullmatch(r"`tests/[\w/:.]+`(, `tests/[\w/:.]+`)*", shown), f"{boundary}: {shown}"


def test_every_security_test_is_named() -> None:
    files = {f"tests/security/{path.name}" for path in (PROJECT / "tests" / "security").glob("test_*.py")}
    assert files <= {named.partition("::")[0] for named in NAMED}, "SECURITY.md says nothing of a file"
