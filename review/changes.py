"""The changes between two parsed projects, and everything downstream of them.

Both sides are parsed in the same environment, so rendered values can be compared. Nothing counts that cannot move a
row: comments, layout, descriptions, meta, tags, owners. dbt's ``state:modified`` selects models for most of these, as
comments are part of a model's body and descriptions are persisted.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from privacy.plan import ERASED_CLASSES
from review.dbt import BUILT, Manifest

_TEXT_ONLY_CONFIG = {"meta", "docs", "tags", "group", "access", "persist_docs"}
_SKIPPED = re.compile(r"""('(?:[^']|'')*'|"[^"]*")|(?:--[^\n]*|/\*.*?\*/|\{\#.*?\#\}|\s)+""", re.DOTALL)


@dataclasses.dataclass
class ProjectChanges:
    """``unique_id`` of models, snapshots and seeds."""

    added: list[str]
    removed: list[str]
    changed: dict[str, list[str]]
    """The changed parts: SQL, settings, contract, rows, macro x."""
    text_only: list[str]
    """Comments, layout, descriptions and their like."""
    affected: list[str]
    """Added, changed, and downstream of those, parents first: the head builds these."""
    access: "list[AccessChange]" = dataclasses.field(default_factory=list)
    tests: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Tests of the base, gone or with their changed parts; a test of a relation that is gone is not listed."""


@dataclasses.dataclass
class AccessChange:
    """A change in the rights of readers: a class, a mask, grants, rows of a session, hooks."""

    model: str
    subject: str
    before: str
    after: str


@dataclasses.dataclass
class ContractBreak:
    """A contract's promise broken by the head; of the whole model if no column is named."""

    model: str
    column: str
    what: str


def bare(code: str) -> str:
    """SQL or Jinja without comments and layout; texts in quotes stay as they are."""
    return _SKIPPED.sub(lambda match: match[1] or " ", code).strip()


def relations(manifest: Manifest) -> dict[str, Any]:
    """The nodes to build, ephemeral models included: they carry changes on."""
    return {uid: node for uid, node in manifest["nodes"].items() if node["resource_type"] in BUILT}


def compare(base: Manifest, head: Manifest) -> ProjectChanges:
    before, after = relations(base), relations(head)
    changed: dict[str, list[str]] = {}
    access, text_only = _access_changed(base, head), []
    accessed = {item.model for item in access}
    for uid in after.keys() & before.keys():
        old, new = _essence(before[uid], base), _essence(after[uid], head)
        what = _differing(old, new)
        if what:
            changed[uid] = what
        elif _text(before[uid]) != _text(after[uid]) and uid not in accessed:
            text_only.append(uid)
    added = sorted(after.keys() - before.keys())
    return ProjectChanges(
        added,
        sorted(before.keys() - after.keys()),
        dict(sorted(changed.items())),
        sorted(text_only),
        _parents_first(downstream(head, {*added, *changed}), after),
        access,
        _tests_changed(base, head),
    )


def _essence(node: Any, manifest: Manifest) -> dict[str, Any]:
    """Everything that decides a relation's rows and columns, part by part."""
    essence: dict[str, Any] = {
        f"setting {name}": value for name, value in node["config"].items() if name not in _TEXT_ONLY_CONFIG
    }
    if node["resource_type"] == "seed":
        return essence | {"rows": node["checksum"]["checksum"]}
    sources = {uid: source["relation_name"] for uid, source in manifest["sources"].items()}
    parents = [sources.get(uid, uid) for uid in node["depends_on"]["nodes"]]
    essence |= {"SQL": bare(node["raw_code"]), "parents": sorted(parents)}
    if node["config"].get("contract", {}).get("enforced"):
        essence["contract"] = (
            sorted((name, column["data_type"], str(column["constraints"])) for name, column in node["columns"].items()),
            str(node.get("constraints")),
        )
    waiting, macros = [*node["depends_on"]["macros"]], manifest["macros"]
    while waiting:
        uid = waiting.pop()
        if uid in macros and f"macro {macros[uid]['name']}" not in essence:
            essence[f"macro {macros[uid]['name']}"] = bare(macros[uid]["macro_sql"])
            waiting += macros[uid]["depends_on"]["macros"]
    texts = [text for part, text in essence.items() if part == "SQL" or part.startswith("macro ")]
    for name, value in manifest.get("vars", {}).items():
        if any(re.search(rf"\bvar\(\s*['\"]{name}['\"]", text) for text in texts):
            essence[f"setting var {name}"] = value
    return essence


def settings(base: Manifest, head: Manifest, changed: Iterable[str]) -> dict[tuple[str, str, str], list[str]]:
    """Changed settings, each as name, before and after, with the relations that have it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for uid in changed:
        old, new = (_essence(manifest["nodes"][uid], manifest) for manifest in (base, head))
        for part in _differing(old, new):
            values = (old.get(part), new.get(part))
            if part.startswith("setting "):
                for name, before, after in _leaves(part.removeprefix("setting "), *values):
                    found.setdefault((name, before, after), []).append(uid)
    return found


def _leaves(name: str, old: Any, new: Any) -> Iterable[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in _differing(old, new):
            yield from _leaves(f"{name}.{key}", old.get(key), new.get(key))
    else:
        yield name, str(old), str(new)


def _text(node: Any) -> tuple[Any, ...]:
    columns = {
        name: (column["description"], column["meta"], column["tags"]) for name, column in node["columns"].items()
    }
    config = {name: node["config"].get(name) for name in _TEXT_ONLY_CONFIG}
    return node.get("raw_code"), node["description"], columns, config


def downstream(manifest: Manifest, uids: Iterable[str]) -> set[str]:
    """These relations and all that read them, at any distance."""
    return _reached(manifest, uids, lambda uid, _: manifest["child_map"].get(uid, []))


def upstream(manifest: Manifest, uids: Iterable[str]) -> set[str]:
    """These relations and all that they read, at any distance."""
    return _reached(manifest, uids, lambda _, node: node.get("depends_on", {}).get("nodes", []))


def _reached(manifest: Manifest, uids: Iterable[str], neighbours: Callable[[str, Any], list[str]]) -> set[str]:
    found, waiting = set(), list(uids)
    nodes = relations(manifest)
    while waiting:
        uid = waiting.pop()
        if uid in nodes and uid not in found:
            found.add(uid)
            waiting += neighbours(uid, nodes[uid])
    return found


def _parents_first(uids: set[str], nodes: dict[str, Any]) -> list[str]:
    ordered: list[str] = []

    def visit(uid: str) -> None:
        if uid in uids and uid not in ordered:
            for parent in sorted(nodes[uid].get("depends_on", {}).get("nodes", [])):
                visit(parent)
            ordered.append(uid)

    for uid in sorted(uids):
        visit(uid)
    return ordered


def _access_changed(base: Manifest, head: Manifest) -> list[AccessChange]:
    """Changes in the rights on relations of both sides, and on new ones."""
    found = []
    for uid, node in sorted({**base["nodes"], **base["sources"], **head["nodes"], **head["sources"]}.items()):
        sides = [manifest["nodes"].get(uid) or manifest["sources"].get(uid) for manifest in (base, head)]
        if sides[1] is None or node["resource_type"] not in (*BUILT, "source"):
            continue
        before, after = (_access(side) if side else {} for side in sides)
        for subject in _differing(before, after):
            found.append(AccessChange(uid, subject, before.get(subject, "–"), after.get(subject, "–")))
    return found


def _access(node: Any) -> dict[str, str]:
    config = node["config"]
    said: dict[str, Any] = {"grants": config.get("grants"), "meta.embedded": (config.get("meta") or {}).get("embedded")}
    said |= {hooks: [hook["sql"] for hook in config.get(hooks) or []] for hooks in ("pre-hook", "post-hook")}
    for name, meta in _metas(node):
        said[f"{name}: pii"] = str(meta["pii"]).lower() if "pii" in meta else None
        said[f"{name}: mask"] = meta.get("mask")
    return {subject: str(value) for subject, value in said.items() if value}


def _tests_changed(base: Manifest, head: Manifest) -> dict[str, list[str]]:
    there, found = relations(head), {}
    for uid, test in base["nodes"].items():
        if test["resource_type"] == "test" and any(parent in there for parent in test["depends_on"]["nodes"]):
            new = _test_essence(uid, head)
            what = _differing(_test_essence(uid, base) or {}, new) if new else ["gone"]
            if what := [part for part in what if not part.startswith("macro ") and part != "parents"]:
                found[uid] = what
    for uid, test in base["unit_tests"].items():
        if (
            test["depends_on"]["nodes"][0] in there
            and head["unit_tests"].get(uid, {}).get("checksum") != test["checksum"]
        ):
            found[uid] = ["rows"] if uid in head["unit_tests"] else ["gone"]
    return dict(sorted(found.items()))


def _differing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(part for part in old.keys() | new.keys() if old.get(part) != new.get(part))


def tests_of(manifest: Manifest, other: Manifest, affected: Iterable[str], changed: Iterable[str]) -> set[str]:
    """Tests with a possibly different result than on the other side.

    Data tests of affected relations; unit tests of changed ones (their rows are invented, so changes upstream do not
    matter to them); and tests that are missing or different on the other side.
    """
    affected, changed = set(affected), set(changed)
    found = set()
    for uid, node in manifest["nodes"].items():
        if node["resource_type"] == "test" and (
            affected & set(node["depends_on"]["nodes"]) or _test_essence(uid, manifest) != _test_essence(uid, other)
        ):
            found.add(uid)
    for uid, test in manifest["unit_tests"].items():
        same = (other["unit_tests"].get(uid) or {}).get("checksum") == test["checksum"]
        if not same or changed & set(test["depends_on"]["nodes"][:1]):
            found.add(uid)
    return found


def _test_essence(uid: str, manifest: Manifest) -> dict[str, Any] | None:
    node = manifest["nodes"].get(uid)
    return _essence(node, manifest) if node else None


def contract_breaks(base: Manifest, head: Manifest) -> list[ContractBreak]:
    """Promises of the base's contracts that are missing in the head: models, columns, types, constraints."""
    breaks: list[ContractBreak] = []
    for uid, old in sorted(relations(base).items()):
        if not old["config"].get("contract", {}).get("enforced"):
            continue
        new = head["nodes"].get(uid) or _version_called(old, head)
        if new is None:
            breaks.append(ContractBreak(uid, "", "the model is gone"))
        elif not new["config"].get("contract", {}).get("enforced"):
            breaks.append(ContractBreak(uid, "", "no longer under contract"))
        else:
            if _relation(old) != _relation(new):
                breaks.append(ContractBreak(uid, "", f"now called {_relation(new)}"))
            for name, column in old["columns"].items():
                breaks += [ContractBreak(uid, name, what) for what in _column_breaks(column, new["columns"].get(name))]
    return breaks


def _version_called(old: Any, head: Manifest) -> Any | None:
    """The version of a model under its relation's name of before there were versions."""
    versions = [node for node in relations(head).values() if node.get("version") and node["name"] == old["name"]]
    return next((node for node in versions if _relation(node) == _relation(old)), None)


def _relation(node: Any) -> str:
    return str(node["relation_name"].split(".")[-1]).strip('"')


def _column_breaks(old: Any, new: Any) -> list[str]:
    if new is None:
        return ["removed"]
    found = []
    if _type(old) != _type(new):
        found.append(f"retyped from {_type(old)} to {_type(new)}")
    kept = {constraint["type"] for constraint in new["constraints"]}
    found += [f"constraint {c['type']} dropped" for c in old["constraints"] if c["type"] not in kept]
    return found


def _type(column: Any) -> str:
    return re.sub(r"\s+", "", str(column["data_type"]).lower()).replace(",", ", ")


def keys(uid: str, *manifests: Manifest) -> list[tuple[str, ...]]:
    """Columns that tell the rows apart, as tests and contracts say; combinations first, since people can read them."""
    combined: list[tuple[str, ...]] = []
    single: list[tuple[str, ...]] = []
    for manifest in manifests:
        node = manifest["nodes"].get(uid)
        if not node:
            continue
        for constraint in node.get("constraints", []):
            if constraint["type"] in ("primary_key", "unique"):
                combined.append(tuple(constraint["columns"]))
        for name, column in node["columns"].items():
            if {"primary_key", "unique"} & {constraint["type"] for constraint in column.get("constraints", [])}:
                single.append((name,))
        for test in manifest["nodes"].values():
            metadata = test.get("test_metadata")
            if not metadata or test.get("attached_node") != uid or test["config"].get("where"):
                continue
            if metadata["name"] == "unique":
                single.append((test["column_name"],))
            elif metadata["name"] == "unique_combination":
                combined.append(tuple(metadata["kwargs"]["columns"]))
    return list(dict.fromkeys(combined + single))


def not_additive(node: Any) -> set[str]:
    """Names of columns without a meaningful sum over all rows, such as running totals: ``meta.additive: false``."""
    return {
        name for name, column in node["columns"].items() if column["config"].get("meta", {}).get("additive") is False
    }


def personal(*manifests: Manifest) -> set[str]:
    """Names of columns with ``meta.pii`` in any model: a column of such a name is masked everywhere."""
    return {name for manifest in manifests for (_, name), mark in _marks(manifest).items() if mark}


def erased(manifest: Manifest) -> set[str]:
    """Names of columns of a class that an erasure takes away, in any model."""
    return {name for (_, name), mark in _marks(manifest).items() if mark in ERASED_CLASSES}


def said_to_be_harmless(manifest: Manifest) -> set[tuple[str, str]]:
    """Columns with ``meta.pii: false``: made of personal data, and none themselves."""
    return {column for column, mark in _marks(manifest).items() if mark is False}


def _marks(manifest: Manifest) -> dict[tuple[str, str], Any]:
    return {
        (node["unique_id"], name): meta.get("pii")
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        for name, meta in _metas(node)
    }


def _metas(node: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    for name, column in node["columns"].items():
        yield name, column["meta"] | (column.get("config") or {}).get("meta", {})
