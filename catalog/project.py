"""The project by dbt's artifacts: tables and their columns, owners, consumers, foreign keys, the last build.

Source   ``manifest.json`` and ``catalog.json`` of ``dbt docs generate``; ``sources.json`` and the results of the last
         build, if there are any.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.lineage import Lineage, column_lineage

LAYERS = ("mart", "intermediate", "staging", "snapshot", "seed", "raw")
"""In the order that readers want them."""
_LAST_BUILD = "last_build.json"
_REF = re.compile(r"ref\('(\w+)'\)")


@dataclasses.dataclass
class DocumentedColumn:
    name: str
    type: str
    description: str
    personal: str
    """The class of personal data: direct, quasi or free_text; empty for all else."""


@dataclasses.dataclass
class DocumentedTable:
    """A model, snapshot, seed or raw table."""

    unique_id: str
    name: str
    """As people say it: a raw table has its schema before it."""
    layer: str
    description: str
    owner: str
    access: str
    deprecated: str
    """The day a version of a model ends; empty for all others."""
    columns: dict[str, DocumentedColumn]
    consumers: list[str] = dataclasses.field(default_factory=list)
    """Labels of the exposures that read it directly."""


@dataclasses.dataclass
class ForeignKey:
    """A promise that a test holds: ``column`` of ``table`` is always found in ``key`` of ``dimension``."""

    table: str
    column: str
    dimension: str
    key: str


@dataclasses.dataclass
class DbtProject:
    manifest: dict[str, Any]
    tables: dict[str, DocumentedTable]
    lineage: Lineage
    foreign_keys: list[ForeignKey]
    build: dict[str, Any] | None
    """``run_results.json`` of the last build or test; None when there was none."""
    freshness: dict[str, Any] | None
    """``sources.json``."""

    def doc(self, name: str) -> str:
        """The text of a docs block; empty when there is none."""
        blocks = [block for block in self.manifest["docs"].values() if block["name"] == name]
        own = [block for block in blocks if block["package_name"] == self.manifest["metadata"]["project_name"]]
        return str((own or blocks or [{"block_contents": ""}])[0]["block_contents"])

    def named(self, layer: str) -> list[DocumentedTable]:
        return sorted((table for table in self.tables.values() if table.layer == layer), key=lambda table: table.name)


def keep_build_results(target: Path) -> None:
    """Set the results of the last build aside: every later dbt command overwrites ``run_results.json``."""
    results = _read(target / "run_results.json")
    if results and results["args"].get("which") in ("build", "test"):
        shutil.copyfile(target / "run_results.json", target / _LAST_BUILD)


def load(target: Path) -> DbtProject:
    """Read dbt's ``target`` folder.

    Raises:
        LineageError: dbt has not compiled the models. One that cannot be read says so in its description.
        FileNotFoundError: ``dbt docs generate`` has not been run.
    """
    keep_build_results(target)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    catalog = json.loads((target / "catalog.json").read_text(encoding="utf-8"))
    unread: dict[str, str] = {}
    lineage = column_lineage(manifest, catalog, unread)
    tables = {
        node["unique_id"]: _table(node, manifest, catalog)
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot", "seed")
    }
    tables |= {node["unique_id"]: _table(node, manifest, catalog) for node in manifest["sources"].values()}
    for exposure in manifest["exposures"].values():
        for parent in exposure["depends_on"]["nodes"]:
            tables[parent].consumers.append(exposure["label"] or exposure["name"])
    _describe_raw_columns(tables, lineage)
    for unique_id in unread:
        tables[unique_id].description += " The columns that its own are made of are not known: its SQL cannot be read."
    return DbtProject(
        manifest=manifest,
        tables=tables,
        lineage=lineage,
        foreign_keys=foreign_keys(manifest),
        build=_read(target / _LAST_BUILD),
        freshness=_read(target / "sources.json"),
    )


def foreign_keys(manifest: Mapping[str, Any]) -> list[ForeignKey]:
    """The keys that a test follows: ``foreign_keys_resolve`` and dbt's own ``relationships``."""
    found = []
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        if not node.get("attached_node") or test.get("name") not in ("foreign_keys_resolve", "relationships"):
            continue
        arguments = test["kwargs"]
        keys = arguments.get("keys") or {arguments["column_name"]: [arguments["to"], arguments["field"]]}
        table = _name(manifest["nodes"][node["attached_node"]])
        for column, to in keys.items():
            reference, key = (to, column) if isinstance(to, str) else to
            match = _REF.fullmatch(reference)
            if not match:
                raise ValueError(f"{table}.{column}: {reference} is not understood; write ref('model')")
            found.append(ForeignKey(table, column, match[1], key))
    return found


def _table(node: Mapping[str, Any], manifest: Mapping[str, Any], catalog: Mapping[str, Any]) -> DocumentedTable:
    is_source = node["resource_type"] == "source"
    in_warehouse = catalog["sources" if is_source else "nodes"].get(node["unique_id"], {}).get("columns", {})
    group = manifest["groups"].get(f"group.{node['package_name']}.{node.get('group')}")
    types = {name: str(column["type"]) for name, column in in_warehouse.items()}
    described = node["columns"]
    columns = {
        name: DocumentedColumn(
            name=name,
            type=_short(types.get(name) or described[name].get("data_type") or ""),
            description=described.get(name, {}).get("description", "").strip(),
            personal=described.get(name, {}).get("config", {}).get("meta", {}).get("pii") or "",
        )
        for name in (*described, *(name for name in types if name not in described))
    }
    layer = {"source": "raw", "snapshot": "snapshot", "seed": "seed"}.get(node["resource_type"]) or node["fqn"][1]
    return DocumentedTable(
        unique_id=node["unique_id"],
        name=f"{node['schema']}.{node['identifier']}" if is_source else _name(node),
        layer="mart" if layer == "marts" else layer,
        description=node["description"].strip(),
        owner=group["owner"]["name"] if group else "",
        access=node.get("access") or "",
        deprecated=str(node.get("deprecation_date") or "")[:10],
        columns=columns,
    )


def _name(node: Mapping[str, Any]) -> str:
    """The versions of a model share a name; their tables do not."""
    return str(node["alias"] if node.get("version") else node["name"])


def _short(type_: str) -> str:
    """A type as the contracts write it."""
    return (
        type_.replace("character varying", "varchar")
        .replace("timestamp without time zone", "timestamp")
        .replace("timestamp with time zone", "timestamptz")
    )


def _describe_raw_columns(tables: Mapping[str, DocumentedTable], lineage: Lineage) -> None:
    """A raw column names the staging column it becomes."""
    for (child, child_name), parents in sorted(lineage.items()):
        for parent, name in parents:
            raw = tables.get(parent)
            if raw and raw.layer == "raw" and name in raw.columns:
                became = f"{tables[child].name}.{child_name}"
                column = raw.columns[name]
                column.description += f", `{became}`" if column.description else f"Becomes `{became}`"


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
