"""Asks git for the commit to compare with, and for the changed files."""

import contextlib
import subprocess
from pathlib import Path

from checks import CheckError
from sandbox import home


def git(*words: str | Path) -> str:
    """Run git in the project's folder and return its output.

    Raises:
        CheckError: git refused. Carries its last line.
    """
    result = subprocess.run(["git", *words], cwd=home.PROJECT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CheckError(f"git {words[0]}: {(result.stderr.strip().splitlines() or ['failed'])[-1]}")
    return result.stdout.strip()


def base_commit(base: str) -> str:
    """The commit a pull request onto ``base`` starts from; later commits on ``base`` are not its doing."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except CheckError:
        raise CheckError(f"BASE={base} is no commit of this repository; fetch it, or name another.") from None
    with contextlib.suppress(CheckError):  # no common history: compare with the commit itself
        return git("merge-base", commit, "HEAD")
    return commit


def changed_files(commit: str) -> list[Path]:
    """Files new or changed since ``commit``, those not yet added included."""
    differing = git("diff", "--name-only", "--diff-filter=d", "--no-renames", "-z", commit, "--")
    unknown = git("ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in (differing + "\0" + unknown).split("\0") if name}
    return sorted(Path(name) for name in names if (home.PROJECT / name).is_file())
