"""The merge's effect on stored tables: history ends, and tables still hold the old code's rows."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from review.changes import downstream, relations
from review.dbt import Manifest
from review.document import code
from review.history import snapshots

_SETTINGS = ("unique_key", "strategy", "updated_at", "hard_deletes")


@dataclasses.dataclass
class HistoryLoss:
    """A snapshot that keeps less, or otherwise, than before."""

    what: str
    tests: list[str]
    """They compare its readers with its source, and fail at the first change that it misses."""


def lost_history(base: Manifest, head: Manifest) -> dict[str, HistoryLoss]:
    found = {}
    for uid, old in snapshots(base).items():
        new = head["nodes"].get(uid)
        said = _lost(old, new) if new else ["is gone: its versions stay behind, and no build adds to them"]
        if said:
            found[uid] = HistoryLoss("; ".join(said), _comparing(head, uid) if new else [])
    return found


def _comparing(head: Manifest, uid: str) -> list[str]:
    sources, made = set(head["nodes"][uid]["depends_on"]["nodes"]), downstream(head, [uid])
    tests = [node for node in head["nodes"].values() if node["resource_type"] == "test"]
    return sorted(
        node["name"]
        for node in tests
        if sources & set(node["depends_on"]["nodes"]) and made & set(node["depends_on"]["nodes"])
    )


def _lost(old: Any, new: Any) -> list[str]:
    said = []
    if columns := [name for name in _checked(old) if name not in _checked(new)]:
        said.append(f"no longer keeps the history of {', '.join(map(code, columns))}")
    for name in _SETTINGS:
        before, after = old["config"].get(name), new["config"].get(name)
        if before != after:
            effect = "; a row that MySQL deletes stays current" if (name, after) == ("hard_deletes", "ignore") else ""
            said.append(f"{code(name)}: {code(before)} → {code(after)}{effect}")
    return said


def _checked(node: Any) -> list[str]:
    checked = node["config"].get("check_cols") or []
    return list(node["columns"]) if checked == "all" else list(checked)


def stored_with_old_code(base: Manifest, head: Manifest, moved: Iterable[str]) -> tuple[list[str], list[str]]:
    """The incremental models among ``moved``: filled anew by a build on its own, and only on demand.

    A build knows the files of models, snapshots and seeds (``macros/builds.sql``), and no macro or variable.
    """
    stored = [
        uid
        for uid in moved
        if uid in base["nodes"] and head["nodes"][uid]["config"].get("materialized") == "incremental"
    ]
    return (stored, []) if _files(base) != _files(head) else ([], stored)


def _files(manifest: Manifest) -> dict[str, Any]:
    return {uid: node["checksum"] for uid, node in relations(manifest).items()}


def full_refresh(head: Manifest, changed: Iterable[str], told: Iterable[str]) -> str:
    """The command to make the stored tables anew: the first changed models, with all their readers."""
    roots = [uid for uid in changed if downstream(head, [uid]) & set(told)]
    first = [uid for uid in roots if not any(uid in downstream(head, [other]) for other in roots if other != uid)]
    names = " ".join(f"{head['nodes'][uid]['name']}+" for uid in sorted(first))
    return f"dbt build --full-refresh --exclude-resource-type unit_test --select {names}"
