"""Every program of the project: --help helps and does nothing else, and an unknown argument is refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT

TRACKED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=PROJECT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\0")
HELP, UNKNOWN = "--help", "--no-such-option"
CALLS = f"""
import contextlib, io, json, re, runpy, sys

def call(*words):
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = list(words)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(words[0], run_name="__main__")
        except SystemExit as end:
            code = end.code
    calls.append((words, code or 0, out.getvalue(), err.getvalue()))
    return out.getvalue()

calls, program = [], sys.argv[1]
_, _, listed = call(program, {HELP!r}).partition("\\ncommands:\\n")
call(program, {UNKNOWN!r})
for command in re.findall(r"^    ([a-z]\\w*) ", listed, re.MULTILINE):
    call(program, command, {HELP!r})
    call(program, command, {UNKNOWN!r})
print(json.dumps(calls))
"""
"""Calls a program and each of its subcommands with both options, as `python -m` does, in one process."""
FILES = [name for name in TRACKED if name and (PROJECT / name).is_file()]


def programs() -> list[str]:
    """Names for `python -m`: packages and modules that may be called, and those that the Makefile calls."""
    called = re.findall(r" -m ([\w.]+)", (PROJECT / "Makefile").read_text(encoding="utf-8"))
    names = {
        name
        for name in called
        if f"{name.replace('.', '/')}.py" in FILES or f"{name.replace('.', '/')}/__main__.py" in FILES
    }
    for name in FILES:
        if name.endswith(".py") and re.search(
            r"^if __name__ ==", (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE
        ):
            names.add(name.removesuffix(".py").removesuffix("/__main__").replace("/", "."))
    return sorted(names)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's files without anything that was made of them."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, tmp_path / name)
    return tmp_path


def test_the_programs_are_found() -> None:
    assert {"catalog", "checks", "privacy", "review", "sandbox", "sandbox.prerequisites"} <= set(programs())


def test_make_help_lists_every_command_in_short_lines() -> None:
    listed = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):.* ## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE) == targets and "demo" in targets
    assert re.findall(r"^\w.*", listed, re.MULTILINE) == ["Use", "Change", "Prove"]
    assert max(map(len, listed.splitlines())) <= 100


def test_a_long_subject_is_refused_before_the_commit() -> None:
    """As `pre-commit` does it: a pattern that is found in the message is a failure."""
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    (hook,) = (hook for hook in hooks if hook["id"] == "subject")
    assert (hook["language"], hook["args"], hook["stages"]) == ("pygrep", ["--multiline"], ["commit-msg"])
    refused = re.compile(hook["entry"], re.MULTILINE | re.DOTALL)
    assert not refused.search(f"{'s' * 72}\n\n{'b' * 100}\n")
    assert refused.search(f"{'s' * 73}\n")


@pytest.mark.parametrize("program", programs())
def test_help_helps_and_does_nothing_else(program: str, project: Path) -> None:
    before = contents(project)
    called = subprocess.run(
        [sys.executable, "-B", "-c", CALLS, program],
        cwd=project,
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert contents(project) == before
    calls = json.loads(called.stdout)
    assert [words[-1] for words, *_ in calls] == [HELP, UNKNOWN] * (len(calls) // 2)
    for (*words, option), code, out, err in calls:
        usage = f"usage: python (-m {program}|{program.replace('.', '/')}.py) "
        if option == HELP:
            assert (code, err) == (0, ""), words
            assert re.match(" ".join([usage.rstrip(), *words[1:], ""]), out), words
            assert not re.search(r"``|:\w+:`|^Raises:", out, re.MULTILINE), f"{words}: reStructuredText"
        else:
            assert (code, out) == (2, ""), words
            assert re.match(usage, err), words
