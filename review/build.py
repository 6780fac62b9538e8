"""Both sides built on the same landing: the base as far as the comparison needs it, the head where it may differ."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from review import ReviewError, changes, history, schemas
from review.changes import ProjectChanges
from review.dbt import DbtSide, Manifest, NodeResult

NOT_RUN = "not run"
_RELATIONS_ONLY = ("--exclude-resource-type", "test", "unit_test")


@dataclasses.dataclass
class KeptBase:
    """The content of the base's schemas: it stays for the next review of the same commit on the same landing."""

    fingerprint: str
    results: dict[str, NodeResult]
    is_parsed: bool = False
    """Whether the manifest beside it is that of this base."""
    invented: list[str] = dataclasses.field(default_factory=list)
    """Snapshots that were given second versions."""

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> "KeptBase":
        if path.exists():
            read = json.loads(path.read_text(encoding="utf-8"))
            if read["fingerprint"] == fingerprint:
                results = {uid: NodeResult(**result) for uid, result in read["results"].items()}
                return cls(fingerprint, results, True, read["invented"])
        return cls(fingerprint, {})

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")


@dataclasses.dataclass
class Source:
    """The warehouse whose landing and history both sides start from."""

    connection: Any
    raw: str = ""
    """Its raw schema, if it is another warehouse than the one where the review builds."""


def fingerprint(commit: str, landing: str) -> str:
    """A hash of everything that decides the content of the base's schemas."""
    names = [
        name for name in os.environ if name.startswith(("PGHOST", "PGPORT", "PGDATABASE", "MYSQL_DATABASE", "DBT_"))
    ]
    settings = sorted(f"{name}={os.environ[name]}" for name in names)
    code = [Path(__file__).with_name(name).read_bytes().hex() for name in ("build.py", "dbt.py", "history.py")]
    return hashlib.sha256("\n".join([commit, landing, *settings, *code]).encode()).hexdigest()[:16]


def schemas_of(manifest: Manifest) -> set[str]:
    return {node["schema"] for node in changes.relations(manifest).values()}


@dataclasses.dataclass
class BuildPlan:
    """The models and tests to run on each side."""

    base: set[str]
    base_tests: set[str]
    head: set[str]
    head_tests: set[str]


def plan(base: Manifest, head: Manifest, found: ProjectChanges) -> BuildPlan:
    affected, own = set(found.affected), {*found.added, *found.changed}
    before = affected & base["nodes"].keys()
    base_tests = changes.tests_of(base, head, before, own)
    head_tests = changes.tests_of(head, base, affected, own)
    # A unit test of an incremental branch reads the table of its model.
    of_unit_tests = {uid for test in head_tests for uid in _parents(head, test)[:1] if test in head["unit_tests"]}
    built = affected | of_unit_tests
    read = {parent for uid in built | head_tests for parent in _parents(head, uid)}
    read |= {parent for uid in base_tests for parent in _parents(base, uid)}
    return BuildPlan(changes.upstream(base, (before | read) & base["nodes"].keys()), base_tests, built, head_tests)


def build_base(
    side: DbtSide, manifest: Manifest, wanted: BuildPlan, kept: KeptBase, connection: Any, source: Source
) -> None:
    """Build everything wanted and not kept from an earlier review."""
    own = "" if source.raw else side.prefix.removesuffix("review_base")
    stored = history.in_warehouse(source.connection, manifest, side.prefix, own)
    content = f"{kept.fingerprint} {history.state(source.connection, stored)}"
    if not schemas.is_prepared(connection, schemas_of(manifest), content):
        kept.results.clear()
        kept.invented.clear()
        raw = [node for node in manifest["sources"].values() if node["schema"] == f"{side.prefix}_raw"]
        schemas.prepare(connection, side.prefix, schemas_of(manifest) | {node["schema"] for node in raw}, content)
        copied = [(relation, manifest["nodes"][uid]["relation_name"]) for uid, relation in stored.items()]
        copied += [(f'"{source.raw}"."{node["identifier"]}"', node["relation_name"]) for node in raw]
        personal = changes.erased(manifest)
        for relation, to in copied:
            if source.raw:
                history.fetch(source.connection, connection, relation, to, personal)
            else:
                history.copy(connection, relation, to)
    source.connection.rollback()  # so that no landing waits for this review
    snapshots = history.snapshots(manifest).keys() & wanted.base - kept.results.keys()
    if snapshots:
        kept.results |= side.run("build", *_RELATIONS_ONLY, "--select", *_selectors(manifest, snapshots))
        day = history.middle_day(connection, manifest)
        for uid in sorted(uid for uid in snapshots if kept.results[uid].status == "success"):
            if history.make_second_versions(connection, manifest["nodes"][uid], day):
                kept.invented.append(uid)
    missing = _made(manifest, wanted.base) - kept.results.keys()
    if missing:
        kept.results |= side.run("build", *_RELATIONS_ONLY, "--select", *_selectors(manifest, missing))
    tests = wanted.base_tests - kept.results.keys()
    if tests:
        kept.results |= side.run("test", "--select", *_selectors(manifest, tests))


def build_head(
    side: DbtSide, manifest: Manifest, wanted: BuildPlan, base: DbtSide, before: Manifest, connection: Any
) -> dict[str, NodeResult]:
    """Build and test the head; all else is read from the base."""
    schemas.prepare(connection, side.prefix, schemas_of(manifest), "head")
    for uid in wanted.head & history.snapshots(manifest).keys() & before["nodes"].keys():
        old, new = (nodes["nodes"][uid]["relation_name"] for nodes in (before, manifest))
        history.copy(connection, old, new)  # as the first build after the merge finds it
    results: dict[str, NodeResult] = {}
    made = _made(manifest, wanted.head)
    if made:
        defer = ("--defer", "--favor-state", "--state", str(base.target))
        results |= side.run("build", *_RELATIONS_ONLY, *defer, "--select", *_selectors(manifest, made))
    missing = {uid for uid in made if uid not in results or results[uid].status != "success"}
    blocked = {test for test in wanted.head_tests if missing & set(_parents(manifest, test))}
    # Here a table of the head goes before the base's, so favouring the base would be wrong.
    if wanted.head_tests - blocked:
        defer = ("--defer", "--no-favor-state", "--state", str(base.target))
        results |= side.run("test", *defer, "--select", *_selectors(manifest, wanted.head_tests - blocked))
    return results | {test: NodeResult(NOT_RUN, 0, "a model it reads was not built", "") for test in blocked}


def _made(manifest: Manifest, uids: Iterable[str]) -> set[str]:
    nodes = manifest["nodes"]
    return {uid for uid in uids if nodes[uid]["config"]["materialized"] != "ephemeral"}


def _node(manifest: Manifest, uid: str) -> Any:
    node = manifest["nodes"].get(uid) or manifest["unit_tests"].get(uid)
    if node is None:
        raise ReviewError(f"dbt's manifest does not know {uid}; remove the folder .sandbox/review and try again.")
    return node


def _parents(manifest: Manifest, uid: str) -> list[str]:
    return list(_node(manifest, uid).get("depends_on", {}).get("nodes", []))


def _selectors(manifest: Manifest, uids: Iterable[str]) -> list[str]:
    return ["fqn:" + ".".join(_node(manifest, uid)["fqn"]) for uid in sorted(uids)]
