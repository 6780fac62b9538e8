"""Files that may quote rows: logs, dbt's artifacts, reports, the docs, and leftovers of killed landings.

They go as a whole, not by looking for the person in them: what a name looked like last year, only history knows. The
commands that made them make them anew.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ingestion.settings import Settings
from review import FOLDER as REVIEW

_OWN = (Path("target"), Path("logs"), Path("docs/site"), Path("reports"), REVIEW)
"""Folders of this project's making; relative to the current folder, which is the project's."""
_DBT = ("dbt.log*", "*.json", "*.html", "*.msgpack", "*.gpickle", "compiled", "run")
"""dbt's own files in the folders of ``DBT_TARGET_PATH`` and ``DBT_LOG_PATH``; others may keep theirs there too."""


def find(settings: Settings) -> dict[str, list[Path]]:
    """The files and folders to remove, by folder. In the work folder only the leftovers of this user's landings."""
    found = {folder: list(folder.glob("*")) for folder in _OWN}
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
        if os.environ.get(name):
            folder = Path(os.environ[name])
            found.setdefault(folder, [path for pattern in _DBT for path in folder.glob(pattern)])
    found[settings.work_folder] = [
        left
        for left in settings.work_folder.glob(f"{settings.work_prefix}*")
        if left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.geteuid()
    ]
    return {f"{os.path.relpath(folder)}/": paths for folder, paths in found.items() if paths}


def count(paths: list[Path]) -> int:
    return sum(1 for path in paths for _ in _files(path))


def remove(paths: list[Path]) -> None:
    """Raises ``OSError``: something could not be removed."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[Path]:
    inside = path.rglob("*") if path.is_dir() else [path]
    yield from (file for file in inside if not file.is_dir())
