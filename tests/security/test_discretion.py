"""What dbt is told of a database's error: its kind and place, no value of a row; and that every dbt of .venv is so."""

import subprocess
import sys
from pathlib import Path

import pytest

from dbt_discretion import without_values
from tests.conftest import PROJECT

CASES = {
    "22P02": (
        'invalid input syntax for type integer: "Ann "the" Lee"\nLINE 1: select cast(\n ^\nCONTEXT:  COPY t, line 1: "Ann"',
        'invalid input syntax for type integer: "..."\nSQLSTATE 22P02',
    ),
    "22007": (
        'invalid input syntax for type date: "Ann\nLee"',
        'invalid input syntax for type date: "..."\nSQLSTATE 22007',
    ),
    "23502": (
        'null value in column "a" of relation "t" violates not-null constraint\nDETAIL:  Failing row contains (Ann, 555).',
        'null value in column "a" of relation "t" violates not-null constraint\nSQLSTATE 23502',
    ),
    "23505": (
        'duplicate key value violates unique constraint "t_pkey"\nDETAIL:  Key (email)=(ann@example.com) already exists.',
        'duplicate key value violates unique constraint "t_pkey"\nSQLSTATE 23505',
    ),
    "P0001": ('told "Ann"\nCONTEXT:  PL/pgSQL function f() line 1 at RAISE', 'told "..."\nSQLSTATE P0001'),
    "42703": (
        'column "x" does not exist\nLINE 3:     x\n            ^\nHINT:  Perhaps you meant "y".',
        'column "x" does not exist\nLINE 3:     x\nSQLSTATE 42703',
    ),
    "": ("server closed the connection unexpectedly", "server closed the connection unexpectedly"),
}


@pytest.mark.parametrize("code", CASES)
def test_what_is_left_of_an_error(code: str) -> None:
    message, expected = CASES[code]
    assert without_values(message, code) == expected


def test_dbt_finds_the_plugin_wherever_it_is_started(tmp_path: Path) -> None:
    """`make setup` puts the project on the path of .venv; dbt asks there for modules named dbt_..."""
    program = (
        "import dbt.adapters.postgres as adapter; from dbt.plugins import set_up_plugin_manager;"
        "set_up_plugin_manager('classicmodels'); set_up_plugin_manager('classicmodels');"
        "found = adapter.PostgresAdapter.ConnectionManager;"
        "import dbt_discretion; print(found.__name__, len(found.__mro__), dbt_discretion.__file__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    name, depth, file = result.stdout.split()
    assert name == "Discreet" and Path(file) == PROJECT / "dbt_discretion.py"
    assert int(depth) <= 8, "it was put on twice"
