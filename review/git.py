"""What git knows: the commit to compare with, a checkout of it, and the files that differ."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from review import ReviewError
from sandbox import home


def git(*words: str | Path) -> str:
    """Run git in the project's folder and return what it says.

    Raises:
        ReviewError: git refused. Carries its last line.
    """
    result = subprocess.run(["git", *words], cwd=home.PROJECT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ReviewError(f"git {words[0]}: {(result.stderr.strip().splitlines() or ['failed'])[-1]}")
    return result.stdout.strip()


def base_commit(base: str) -> str:
    """The commit a pull request onto ``base`` starts from; what happened on ``base`` since is not its doing."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except ReviewError:
        raise ReviewError(f"BASE={base} is no commit of this repository; fetch it, or name another.") from None
    with contextlib.suppress(ReviewError):  # no common history: compare with the commit itself
        return git("merge-base", commit, "HEAD")
    return commit


def describe(commit: str) -> str:
    """Short hash and subject."""
    return git("log", "-1", "--format=%h %s", commit)


def changed_files(commit: str) -> list[Path]:
    """Files that are there now and were not, or not like this, at ``commit``; those not yet added included."""
    differing = git("diff", "--name-only", "--diff-filter=d", "--no-renames", "-z", commit, "--")
    unknown = git("ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in (differing + "\0" + unknown).split("\0") if name}
    return sorted(Path(name) for name in names if (home.PROJECT / name).is_file())


@contextlib.contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """The files of ``commit`` in ``folder``, which is removed afterwards; what a killed run left there goes first."""
    _remove(folder)
    git("worktree", "add", "--detach", "--force", folder, commit)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    git("worktree", "prune")
