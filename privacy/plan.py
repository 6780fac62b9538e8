"""The places of a person's data: columns of raw tables by configuration, those of all other tables by lineage."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from catalog.lineage import Column, Lineage, column_lineage, trace
from privacy import ErasureError

ERASED_CLASSES = ("direct", "free_text")
"""The erased classes of ``meta.pii``. ``quasi`` stays: places and check numbers carry totals and keys."""


@dataclasses.dataclass(frozen=True)
class PersonalTable:
    """A table with data of persons."""

    schema: str
    name: str
    subject_column: str
    """Holds the person's key."""
    columns: Mapping[str, frozenset[Column]]
    """The columns to erase, each with the raw columns it is made of; none in a table with nothing but the key."""
    is_raw: bool = False
    goes: bool = False
    """The person's rows go as a whole: nothing is learned from an erased person, and nothing said of one elsewhere."""


@dataclasses.dataclass(frozen=True)
class ErasurePlan:
    subject: str
    targets: tuple[PersonalTable, ...]
    """Each after those it is made of."""
    kept: tuple[str, ...]
    """Personal columns that stay."""
    names: frozenset[str]
    """Names of personal columns, those of views included."""
    known: frozenset[tuple[str, str]]
    """Schema and name of every table of dbt, read or built."""
    failures: frozenset[tuple[str, str]]
    """Schema and name of the table in which dbt may store the failing rows of a test."""


def make(manifest: Mapping[str, Any], raw_schema: str, subject: str) -> ErasurePlan:
    """The tables and columns to erase for a person of the kind ``subject``.

    Raises:
        ErasureError: no column is marked so, or a table with such data has no column with the person's key.
    """
    sources = {uid: source for uid, source in manifest["sources"].items() if source["schema"] == raw_schema}
    meta = {(uid, name): _said(source, name) for uid, source in sources.items() for name in source["columns"]}
    kinds = {column: said["subject"] for column, said in meta.items() if said.get("subject")}
    if subject not in kinds.values():
        there = ", ".join(sorted(set(kinds.values()))) or "none"
        raise ErasureError(f"No source column has meta.subject: {subject}. There is: {there}.")
    keys = {column for column, kind in kinds.items() if kind == subject}
    tables = [uid for uid, _ in keys]
    twice = [sources[uid]["name"] for uid in tables if sum(uid == other for other, _ in kinds) > 1]
    if twice:
        raise ErasureError(f"{twice[0]} has two columns with meta.subject: a row can be one person's only.")
    personal = {column for column, said in meta.items() if column[0] in tables and said.get("pii") in ERASED_CLASSES}
    targets = [
        PersonalTable(
            raw_schema,
            sources[uid]["identifier"],
            key,
            {name: frozenset([(uid, name)]) for parent, name in sorted(personal) if parent == uid},
            is_raw=True,
        )
        for uid, key in sorted(keys)
    ]
    unread: dict[str, str] = {}
    built, names = _built(manifest, column_lineage(manifest, unread=unread), keys, personal, unread)
    targets += built
    targets += [
        PersonalTable(schema, node.get("identifier") or node["alias"], said[subject], {}, goes=True)
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        if subject in (said := node.get("config", {}).get("meta", {}).get("erase_rows") or {})
        for schema in _schemas(node)
    ]
    kept = [
        f"{sources[uid]['name']}.{name}"
        for (uid, name), said in meta.items()
        if uid in tables and said.get("pii") and (uid, name) not in personal
    ]
    nodes = [node for node in manifest["nodes"].values() if node.get("alias")]
    failures = {(node["schema"], node["alias"]) for node in nodes if node["resource_type"] == "test"}
    known = {(schema, node["alias"]) for node in nodes if not _is_no_table(node) for schema in _schemas(node)}
    known -= failures
    known |= {(source["schema"], source["identifier"]) for source in manifest["sources"].values()}
    names |= {name for _, name in personal}
    return ErasurePlan(
        subject, tuple(targets), tuple(sorted(kept)), frozenset(names), frozenset(known), frozenset(failures)
    )


def _built(
    manifest: Mapping[str, Any],
    lineage: Lineage,
    keys: set[Column],
    personal: set[Column],
    unread: Mapping[str, str],
) -> tuple[list[PersonalTable], set[str]]:
    """The tables and snapshots with a column made of a personal one, parents first; and the names of such columns."""
    every = {**manifest["nodes"], **manifest["sources"]}
    lineage = {
        (uid, name): set() if _said(every[uid], name).get("pii") is False else parents
        for (uid, name), parents in lineage.items()
    }
    columns: dict[str, dict[str, frozenset[Column]]] = {}
    subject_columns: dict[str, list[str]] = {}
    for uid, name in lineage:  # in the order of the models, parents first
        ends = trace(lineage, (uid, name))
        if ends and ends <= keys:
            subject_columns.setdefault(uid, []).append(name)
        if ends & personal:
            columns.setdefault(uid, {})[name] = frozenset(ends)
    for uid, reason in unread.items():
        parents = set(manifest["nodes"][uid]["depends_on"]["nodes"])
        names = {name for parent, made_of in columns.items() if parent in parents for name in made_of}
        names |= {name for parent, name in personal if parent in parents}
        if names and re.search(
            rf"\*|\b({'|'.join(map(re.escape, sorted(names)))})\b", manifest["nodes"][uid]["compiled_code"]
        ):
            raise ErasureError(
                f"{manifest['nodes'][uid]['name']} may hold personal data, and nobody knows where: {reason}."
            )
    found = []
    for uid, made_of in columns.items():
        node = manifest["nodes"][uid]
        if _is_no_table(node):
            continue
        whose = subject_columns.get(uid, [])
        whose = [name for name in whose if name in {key for _, key in keys}] or whose
        if len(whose) != 1:
            raise ErasureError(
                f"{node['name']} holds personal data ({', '.join(made_of)}), and {len(whose)} of its columns say whose:"
                " give it one column that is a plain copy of the person's key."
            )
        found += [PersonalTable(schema, node["alias"], whose[0], made_of) for schema in _schemas(node)]
    return found, {name for made_of in columns.values() for name in made_of}


def _schemas(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Its own and, where there is one, that of the work set (``macros/publish.sql``)."""
    schema, configured = node["schema"], node["config"].get("schema")
    if configured not in ("intermediate", "marts"):
        return (schema,)
    return schema, f"{schema.removesuffix(configured)}next_{configured}"


def _is_no_table(node: Mapping[str, Any]) -> bool:
    return node["config"]["materialized"] in ("view", "ephemeral")


def _said(node: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The ``meta`` of a column."""
    said: dict[str, Any] = node["columns"].get(name, {}).get("config", {}).get("meta", {})
    return said
