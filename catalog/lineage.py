"""The columns each column is made of, read from the SQL that dbt compiled.

Value lineage: a column leads to every column its value is computed from, those of a ``case`` condition, a window's
``partition by`` and a scalar subquery included. A column that only joins, filters or groups decides which rows there
are, not their values, and is not listed. Neither is a model's own table: incremental models read it to find changes.
A constant and ``count(*)`` lead nowhere.

dbt's own columns of a snapshot come from its settings: ``dbt_valid_from`` and its like from ``updated_at``,
``dbt_scd_id`` from ``unique_key`` as well. A source column that a program makes of models, such as a score, says so in
``meta.made_of``.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

Column = tuple[str, str]
"""``unique_id`` of a model, snapshot, seed or source, and a column of it."""
Lineage = dict[Column, set[Column]]


_UNNAMED = "?column?"
_COMPILE = "run dbt compile or dbt docs generate last, dbt parse and dbt source freshness leave it out"


class LineageError(Exception):
    """Columns that could not be resolved, each with its model's name."""


@dataclasses.dataclass
class _Relation:
    """A table, CTE or subquery: its columns, each with the columns it is made of.

    ``open_to`` are tables without a list of columns: a name missing in ``columns`` is taken to be theirs.
    """

    columns: dict[str, set[Column]]
    open_to: set[str] = dataclasses.field(default_factory=set)

    def has(self, name: str) -> bool:
        return name in self.columns or bool(self.open_to)

    def get(self, name: str) -> set[Column]:
        return self.columns[name] if name in self.columns else {(parent, name) for parent in self.open_to}


@dataclasses.dataclass
class _Scope:
    """The names a query sees: CTEs before it, tables of its own FROM, and those of the query around it."""

    ctes: dict[str, _Relation]
    tables: dict[str, _Relation] = dataclasses.field(default_factory=dict)
    outer: "_Scope | None" = None

    def resolve(self, column: exp.Column) -> set[Column]:
        name, table = _name(column.this), _name(column.args.get("table"))
        if table:
            if table in self.tables:
                if not self.tables[table].has(name):
                    raise LineageError(f"{table} has no column {name}")
                return self.tables[table].get(name)
        else:
            having = [relation for relation in self.tables.values() if name in relation.columns]
            having = having or [relation for relation in self.tables.values() if relation.open_to]
            if len(having) > 1:
                raise LineageError(f"column {name} could be of {len(having)} tables; say which")
            if having:
                return having[0].get(name)
        if self.outer is None:
            raise LineageError(f"nothing that is read has a column {column.sql()}")
        return self.outer.resolve(column)


def column_lineage(
    manifest: Mapping[str, Any], catalog: Mapping[str, Any] | None = None, unread: dict[str, str] | None = None
) -> Lineage:
    """Every column of every model, snapshot and seed, with the parents' columns it reads directly.

    ``manifest`` is dbt's ``manifest.json`` of a command that compiles (``compile``, ``docs generate``, ``build``);
    ``catalog``, its ``catalog.json``, is only needed if a model selects all columns of a source without a list of them.
    ``unread`` takes the models that cannot be read, by ``unique_id``, each with the reason; their columns lead nowhere.

    Raises:
        LineageError: names every model with a column that could not be resolved, if there is no ``unread`` to take it,
            or that was not compiled.
    """
    nodes = {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "snapshot", "seed")
    }
    queries = [node for node in nodes.values() if node["resource_type"] != "seed"]
    missing = [str(node["name"]) for node in queries if not node.get("compiled_code")]
    if missing:  # in one line, also after a build of some models
        one = "the manifest has" if len(missing) == len(queries) else f"{missing[0]}: it has"
        others = f", nor have {len(missing) - 1} others" if 1 < len(missing) < len(queries) else ""
        raise LineageError(f"{one} no compiled code{others}: {_COMPILE}")
    known: dict[str, _Relation] = {
        unique_id: _source(unique_id, source, catalog) for unique_id, source in manifest["sources"].items()
    }
    dialect = manifest["metadata"].get("adapter_type") or "postgres"
    lineage: Lineage = {}
    errors: dict[str, str] = {}
    for unique_id in _parents_first(nodes):
        node = nodes[unique_id]
        try:
            columns = _columns_of(node, _tables(node, manifest, known), dialect)
        except (LineageError, sqlglot.errors.SqlglotError) as error:
            errors[unique_id] = str(error)
            columns = {name: set() for name in node["columns"]}  # its children may still be right
        known[unique_id] = _Relation({name: {(unique_id, name)} for name in columns})
        lineage |= {
            (unique_id, name): {origin for origin in origins if origin[0] != unique_id}
            for name, origins in columns.items()
        }
    for unique_id, source in manifest["sources"].items():
        for name, column in source["columns"].items():
            made_of = column.get("config", {}).get("meta", {}).get("made_of") or {}
            origins = {(uid, of) for uid, node in nodes.items() for of in made_of.get(node["name"], ())}
            lineage |= {(unique_id, name): origins} if origins else {}
    if errors and unread is None:
        raise LineageError("\n".join(f"{nodes[unique_id]['name']}: {error}" for unique_id, error in errors.items()))
    if unread is not None:
        unread |= errors
    return lineage


def trace(lineage: Mapping[Column, set[Column]], column: Column) -> set[Column]:
    """The columns of sources and seeds that ``column`` is made of in the end."""
    ends, seen, waiting = set(), {column}, [column]
    while waiting:
        current = waiting.pop()
        parents = lineage.get(current, set())
        if not parents and not current[0].startswith(("model.", "snapshot.")):
            ends.add(current)
        waiting += parents - seen
        seen |= parents
    return ends


def upstream(lineage: Mapping[Column, set[Column]], column: Column) -> set[Column]:
    """Every column that ``column`` is made of, at any distance."""
    found: set[Column] = set()
    waiting = [column]
    while waiting:
        new = lineage.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def downstream(lineage: Mapping[Column, set[Column]], columns: Iterable[Column]) -> set[Column]:
    """Every column that is made of one of ``columns``, at any distance."""
    children: dict[Column, set[Column]] = {}
    for child, parents in lineage.items():
        for parent in parents:
            children.setdefault(parent, set()).add(child)
    found: set[Column] = set()
    waiting = list(columns)
    while waiting:
        new = children.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _parents_first(nodes: Mapping[str, Any]) -> Iterator[str]:
    done: set[str] = set()

    def visit(unique_id: str) -> Iterator[str]:
        if unique_id in done:
            return
        done.add(unique_id)
        for parent in nodes[unique_id].get("depends_on", {}).get("nodes", []):
            if parent in nodes:
                yield from visit(parent)
        yield unique_id

    for unique_id in nodes:
        yield from visit(unique_id)


def _source(unique_id: str, source: Mapping[str, Any], catalog: Mapping[str, Any] | None) -> _Relation:
    listed = catalog["sources"].get(unique_id, {}).get("columns", {}) if catalog else {}
    names = {*source["columns"], *listed}
    # Columns that only some descriptions name are no full list: others may exist.
    return _Relation({name: {(unique_id, name)} for name in names}, set() if listed else {unique_id})


def _tables(node: Mapping[str, Any], manifest: Mapping[str, Any], known: Mapping[str, _Relation]) -> "_Tables":
    tables = _Tables(known)
    for parent in [*node.get("depends_on", {}).get("nodes", []), node["unique_id"]]:
        described = manifest["nodes"].get(parent) or manifest["sources"].get(parent)
        if described:
            tables.add(described)
    return tables


class _Tables:
    """The tables a model may read, by the name they have in its SQL: its parents and itself."""

    def __init__(self, known: Mapping[str, _Relation]) -> None:
        self._known = known
        self._ids: dict[str, dict[str, str]] = {}

    def add(self, node: Mapping[str, Any]) -> None:
        name = node.get("alias") or node.get("identifier") or node["name"]
        self._ids.setdefault(name.lower(), {})[node["schema"].lower()] = node["unique_id"]

    def find(self, table: exp.Table) -> _Relation:
        """By name; the schema only decides between two of one name, since a deferred parent lives in another schema."""
        schemas = self._ids.get(table.name.lower(), {})
        unique_id = schemas.get(table.db.lower()) or (next(iter(schemas.values())) if len(schemas) == 1 else None)
        if unique_id is None:
            raise LineageError(f"it reads {table.sql()}, which is none of its parents")
        return self._known.get(unique_id) or _Relation({}, {unique_id})  # not yet known: the model itself


def _columns_of(node: Mapping[str, Any], tables: _Tables, dialect: str) -> dict[str, set[Column]]:
    if node["resource_type"] == "seed":
        return {name: set() for name in node["columns"]}
    query = sqlglot.parse_one(node["compiled_code"], dialect=dialect)
    relation = _Query(tables).read(query, _Scope({}))
    if node["resource_type"] == "snapshot":
        relation.columns |= _snapshot_columns(node["config"], relation)
    if any(name.startswith(_UNNAMED) for name in relation.columns):
        raise LineageError("it selects a column without a name")
    missing = [name for name in node["columns"] if not relation.has(name)]
    if missing:
        raise LineageError(f"its SQL has no column {', '.join(missing)}, which its description lists")
    if relation.open_to:
        if not node["columns"]:
            raise LineageError("it selects all columns of a table whose columns nobody listed")
        return {name: relation.get(name) for name in node["columns"]}
    return relation.columns


def _snapshot_columns(config: Mapping[str, Any], relation: _Relation) -> dict[str, set[Column]]:
    updated_at = relation.get(config["updated_at"]) if config.get("updated_at") else set()
    keys = config["unique_key"] if isinstance(config["unique_key"], list) else [config["unique_key"]]
    key = set().union(*(relation.get(name) for name in keys))
    names = config.get("snapshot_meta_column_names") or {}
    own = dict.fromkeys(("dbt_valid_from", "dbt_valid_to", "dbt_updated_at"), updated_at)
    return {names.get(name) or name: origins for name, origins in (own | {"dbt_scd_id": updated_at | key}).items()}


class _Query:
    """Reads one model's SQL, CTE by CTE."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def read(self, query: exp.Expr, outer: _Scope, seen_tables: bool = False) -> _Relation:
        """The columns of a query; ``seen_tables``: it may name columns of the query around it."""
        scope = _Scope(dict(outer.ctes), outer=outer if seen_tables else outer.outer)
        with_ = query.args.get("with_") or query.args.get("with")
        for cte in with_.expressions if with_ else []:
            scope.ctes[_name(cte.args["alias"].this)] = _renamed(self.read(cte.this, scope), cte.args["alias"])
        if isinstance(query, exp.Subquery):
            return self.read(query.this, scope, seen_tables)
        if isinstance(query, exp.SetOperation):
            return self._union(query, scope)
        if isinstance(query, exp.Select):
            return self._select(query, scope)
        raise LineageError(f"a {query.key} is not understood")

    def _union(self, query: exp.SetOperation, scope: _Scope) -> _Relation:
        left, right = self.read(query.left, scope), self.read(query.right, scope)
        if left.open_to or right.open_to:
            raise LineageError("a set operation of tables whose columns nobody listed")
        if len(left.columns) != len(right.columns):
            raise LineageError("the parts of a set operation differ in their number of columns")
        if not isinstance(query, exp.Union):  # what is only taken away, or kept, gives no value
            return left
        return _Relation(
            {
                name: ours | theirs
                for (name, ours), theirs in zip(left.columns.items(), right.columns.values(), strict=True)
            }
        )

    def _select(self, query: exp.Select, scope: _Scope) -> _Relation:
        from_ = query.args.get("from_") or query.args.get("from")
        for part in [*([from_] if from_ else []), *query.args.get("joins", [])]:
            name, relation = self._table(part.this, scope)
            scope.tables[name] = relation
        if query.args.get("laterals"):
            raise LineageError("a lateral view is not understood")
        given = _Relation({})
        for projection in query.expressions:
            if projection.is_star and not isinstance(projection, exp.Alias):
                for relation in self._starred(projection, scope):
                    _add(given, relation.columns)
                    given.open_to |= relation.open_to
            else:
                name = _name(projection.args.get("alias")) or projection.output_name.lower()
                name = name or f"{_UNNAMED}{len(given.columns)}"
                _add(given, {name: self._origins(projection, scope)})
        return given

    def _table(self, part: exp.Expression, scope: _Scope) -> tuple[str, _Relation]:
        if isinstance(part, exp.Table) and isinstance(part.this, exp.Identifier):
            name = _name(part.this)
            relation = scope.ctes[name] if not part.db and name in scope.ctes else self._tables.find(part)
        elif isinstance(part, exp.Subquery):
            name, relation = "", self.read(part.this, _Scope(scope.ctes, outer=scope.outer))
        else:
            raise LineageError(f"reading from {part.sql()[:80]} is not understood")
        alias = part.args.get("alias")
        return (_name(alias.this) or name, _renamed(relation, alias)) if alias else (name, relation)

    def _starred(self, star: exp.Expression, scope: _Scope) -> list[_Relation]:
        if isinstance(star, exp.Star) and not any(star.args.values()):
            return list(scope.tables.values())
        table = _name(star.args.get("table")) if isinstance(star, exp.Column) else ""
        if table not in scope.tables:
            raise LineageError(f"{star.sql()} is not understood")
        return [scope.tables[table]]

    def _origins(self, expression: exp.Expression, scope: _Scope) -> set[Column]:
        """The columns an expression computes with; of a subquery in it, those its result is made of."""
        if isinstance(expression, exp.Column):
            return scope.resolve(expression)
        if isinstance(expression, exp.Exists):
            return set()
        if isinstance(expression, exp.Query):
            relation = self.read(expression, scope, seen_tables=True)
            return set().union(*relation.columns.values())
        return set().union(*(self._origins(child, scope) for child in expression.iter_expressions()))


def _add(relation: _Relation, columns: Mapping[str, set[Column]]) -> None:
    twice = relation.columns.keys() & columns.keys()
    if twice:
        raise LineageError(f"column {', '.join(sorted(twice))} is selected twice")
    relation.columns |= columns


def _renamed(relation: _Relation, alias: exp.Expression) -> _Relation:
    """The relation under an alias that may name its columns anew: ``totals (year, amount)``."""
    names = [_name(column) for column in alias.args.get("columns") or []]
    if not names:
        return relation
    if relation.open_to or len(names) != len(relation.columns):
        raise LineageError(f"the column names of {alias.sql()} do not fit what it names")
    return _Relation(dict(zip(names, relation.columns.values(), strict=True)))


def _name(identifier: Any) -> str:
    """A name as the warehouse compares it: lower case unless quoted."""
    if not isinstance(identifier, exp.Expression):
        return str(identifier or "")
    if isinstance(identifier, exp.Identifier):
        return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()
    return identifier.name
