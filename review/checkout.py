"""The base as files: a checkout of its commit."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from checks.git import git


def describe(commit: str) -> str:
    """Short hash and subject."""
    return git("log", "-1", "--format=%h %s", commit)


@contextlib.contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """The files of ``commit`` in ``folder``, removed afterwards; leftovers of a killed run go first."""
    _remove(folder)
    git("worktree", "add", "--detach", "--force", folder, commit)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    git("worktree", "prune")
