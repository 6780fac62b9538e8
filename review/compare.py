"""Two relations compared in the warehouse: columns, rows by key, values by column."""

import dataclasses
from collections.abc import Container, Iterable, Sequence
from typing import Any

import psycopg2

from review.schemas import rows

EXAMPLES = 3
_COLUMNS_WITH_EXAMPLES = 25
_COLUMNS_WITH_PROFILES = 10
_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying", "character"}
_TIMES = {"date", "timestamp without time zone", "timestamp with time zone"}
_WITHOUT_EQUALITY = {"json", "xml", "point", "polygon", "box"}


Profile = tuple[str, ...]
"""All values of a column: share of nulls, different ones, minimum, maximum, distribution; personal data masked."""
_BARS = "▁▂▃▄▅▆▇█"


@dataclasses.dataclass
class ColumnChange:
    """Changed values, in rows of both sides."""

    values: int
    examples: list[tuple[str, str, str]]
    """Key, before, after; personal data masked."""
    emptied: int = 0
    """Those that are now null."""


@dataclasses.dataclass
class RelationDifference:
    """One relation before and after. Columns are in the relation's order."""

    rows: tuple[int, int]
    types: tuple[dict[str, str], dict[str, str]]
    key: tuple[str, ...] = ()
    key_note: str = ""
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, ColumnChange] = dataclasses.field(default_factory=dict)
    sums: dict[str, tuple[Any, Any]] = dataclasses.field(default_factory=dict)
    """Of amounts and quantities, if before and after differ."""
    profiles: dict[str, tuple[Profile, Profile]] = dataclasses.field(default_factory=dict)
    """Of the columns that changed most, and of changed sums."""
    renamed: dict[str, str] = dataclasses.field(default_factory=dict)
    """A removed column to the new one with its type and its values."""
    contents: dict[str, str] = dataclasses.field(default_factory=dict)
    """New columns, described in numbers."""
    added_examples: list[str] = dataclasses.field(default_factory=list)
    removed_examples: list[str] = dataclasses.field(default_factory=list)

    @property
    def gone(self) -> list[str]:
        return [name for name in self.types[0] if name not in self.types[1]]

    @property
    def new(self) -> list[str]:
        return [name for name in self.types[1] if name not in self.types[0]]

    @property
    def retyped(self) -> dict[str, tuple[str, str]]:
        before, after = self.types
        return {name: (before[name], after[name]) for name in before if after.get(name, before[name]) != before[name]}

    @property
    def has_new_schema(self) -> bool:
        return bool(self.gone or self.new or self.retyped)

    @property
    def has_new_data(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.sums)


class Comparison:
    """Compares relations over one connection; columns named in ``personal`` are masked in examples."""

    def __init__(self, connection: Any, personal: Iterable[str]) -> None:
        self._connection = connection
        self._personal = set(personal)

    def types(self, relation: str) -> dict[str, str]:
        """The columns of a relation that exists, with their types."""
        statement = (
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum"
        )
        return dict(rows(self._connection, statement, (relation,)))

    def count(self, relation: str) -> int:
        return int(rows(self._connection, f"select count(*) from {relation}")[0][0])

    def shared_keys(self, query: str, keys: Sequence[tuple[str, ...]]) -> str:
        """How many rows a query gives for how many keys, if several share a key; else empty, and if it fails."""
        for key in keys:
            columns = ", ".join(map(_q, key))
            statement = f"select count(*), count(distinct ({columns})) from ({query}) as made"
            try:
                ((count, different),) = rows(self._connection, statement)
            except psycopg2.Error:
                continue
            if count > different:
                return f"its query gives {count:,} rows for {different:,} different {', '.join(key)}"
        return ""

    def contents(self, relation: str, columns: Iterable[str]) -> dict[str, str]:
        """New columns in numbers, without their values: nobody may have classified them yet."""
        names = list(columns)
        counts = [f"count({_q(name)}), count(distinct {_q(name)}::text)" for name in names]
        total, *found = rows(self._connection, f"select {', '.join(['count(*)', *counts])} from {relation}")[0]
        pairs = zip(names, found[::2], found[1::2], strict=True)
        return {name: f"{total - filled:,} of {total:,} empty, {values:,} different" for name, filled, values in pairs}

    def compare(
        self,
        before: str,
        after: str,
        keys: Sequence[tuple[str, ...]],
        not_additive: Container[str] = (),
        natural: Sequence[tuple[str, ...]] = (),
    ) -> RelationDifference:
        """``keys``: candidates to tell the rows apart, best first; if none does, whole rows are compared.

        ``not_additive``: columns without a sum; ``natural``: columns that a key is made of, tried before the keys.
        """
        types = (self.types(before), self.types(after))
        difference = RelationDifference((self.count(before), self.count(after)), types)
        shared = [name for name in types[0] if name in types[1]]
        self._choose_key(difference, (before, after), keys, natural, shared)
        if difference.key:
            self._by_key(difference, before, after, [name for name in shared if name not in difference.key])
        elif shared:
            self._by_row(difference, before, after, shared)
        self._sums(difference, before, after, [name for name in shared if name not in not_additive])
        self._profiles(difference, before, after)
        if difference.new:
            difference.contents = self.contents(after, difference.new)
        return difference

    def _choose_key(
        self,
        difference: RelationDifference,
        relations: tuple[str, str],
        keys: Sequence[tuple[str, ...]],
        natural: Sequence[tuple[str, ...]],
        shared: list[str],
    ) -> None:
        for key in dict.fromkeys([*natural, *keys]):
            if not set(key) <= set(shared):
                continue
            twice = [self._twice(relation, key) for relation in relations]
            if not any(twice):
                difference.key = key
                return
            if key not in keys:
                continue
            difference.key_note = (
                f"{', '.join(key)} should tell rows apart; rows beyond the first of their key: "
                f"{twice[0]:,} before, {twice[1]:,} after"
            )
        first = (shared[0],) if shared else ()
        if first and not keys and not any(self._twice(relation, first) for relation in relations):
            difference.key, difference.key_note = first, "no test says so; it tells the rows apart on both sides"

    def _twice(self, relation: str, key: tuple[str, ...]) -> int:
        """Rows that share their key with another, but for the first."""
        columns = ", ".join(_q(name) for name in key)
        statement = f"select count(*) from (select {columns} from {relation} group by {columns}) as keys"
        return self.count(relation) - int(rows(self._connection, statement)[0][0])

    def _by_key(self, difference: RelationDifference, before: str, after: str, columns: list[str]) -> None:
        joined = _joined(before, after, difference.key)
        both = 'b."review row" is not null and h."review row" is not null'
        differs = {name: _differs(name, name, difference.types) for name in columns}
        counts = [
            'count(*) filter (where b."review row" is null)',
            'count(*) filter (where h."review row" is null)',
            f"count(*) filter (where {both} and ({' or '.join(differs.values()) or 'false'}))",
            *(f"count(*) filter (where {both} and {condition})" for condition in differs.values()),
            *(f"count(*) filter (where {both} and {differs[name]} and h.{_q(name)} is null)" for name in differs),
        ]
        found = rows(self._connection, f"select {', '.join(counts)} from {joined}")[0]
        difference.added, difference.removed, difference.changed = found[:3]
        pairs = zip(columns, found[3 : 3 + len(columns)], found[3 + len(columns) :], strict=True)
        for number, (name, count, emptied) in enumerate(pair for pair in pairs if pair[1]):
            difference.columns[name] = ColumnChange(count, [], emptied)
            if number < _COLUMNS_WITH_EXAMPLES:
                wanted = f"{self._key(difference.key, 'h')}, b.{_q(name)}::text, h.{_q(name)}::text"
                where = f"{both} and {differs[name]}"
                examples = self._examples(f"select {wanted} from {joined} where {where}", difference.key)
                difference.columns[name].examples = [
                    (key, self._shown(name, old), self._shown(name, new)) for key, old, new in examples
                ]
        for side, other, into in (("h", "b", difference.added_examples), ("b", "h", difference.removed_examples)):
            if difference.added if side == "h" else difference.removed:
                missing = f'select {self._key(difference.key, side)} from {joined} where {other}."review row" is null'
                into += [key for (key,) in self._examples(missing, difference.key)]
        for old in difference.gone:
            for new in difference.new:
                if difference.types[0][old] == difference.types[1][new] and old not in difference.renamed:
                    where = f"{both} and b.{_q(old)} is distinct from h.{_q(new)}"
                    if rows(self._connection, f"select 1 from {joined} where {where} limit 1") == []:
                        difference.renamed[old] = new

    def _by_row(self, difference: RelationDifference, before: str, after: str, columns: list[str]) -> None:
        texts = ", ".join(f"{_q(name)}::text as c{number}" for number, name in enumerate(columns))
        names = ", ".join(f"c{number}" for number in range(len(columns)))
        statement = f"""
            select coalesce(sum(greatest(more, 0)), 0), coalesce(sum(greatest(-more, 0)), 0) from (
                select sum(side) as more from (
                    select {texts}, 1 as side from {after} union all select {texts}, -1 as side from {before}
                ) as sides group by {names}
            ) as counted"""
        (added, removed) = rows(self._connection, statement)[0]
        difference.added, difference.removed = int(added), int(removed)
        difference.key_note = (
            difference.key_note or "no key is known: a changed row counts as one removed and one added"
        )

    def _sums(self, difference: RelationDifference, before: str, after: str, columns: list[str]) -> None:
        measures = [
            name
            for name in columns
            if adds_up(name) and all(_family(types[name]) in _NUMBERS for types in difference.types)
        ]
        if not measures:
            return
        sums = ", ".join(f"sum({_q(name)})" for name in measures)
        old, new = (rows(self._connection, f"select {sums} from {relation}")[0] for relation in (before, after))
        for name, was, is_now in zip(measures, old, new, strict=True):
            if was != is_now:
                difference.sums[name] = (was, is_now)

    def _profiles(self, difference: RelationDifference, before: str, after: str) -> None:
        changed = sorted(difference.columns, key=lambda name: -difference.columns[name].values)
        for name in list(dict.fromkeys([*difference.sums, *changed]))[:_COLUMNS_WITH_PROFILES]:
            families = [_family(types[name]) for types in difference.types]
            found = []
            for relation, family in zip((before, after), families, strict=True):
                value = _q(name) + ("" if family in _NUMBERS | _TIMES else "::text")
                counts = f"count(*), count({_q(name)}), count(distinct {_q(name)}::text)"
                extremes = f"min({value})::text, max({value})::text"
                count, filled, different, *ends = rows(
                    self._connection, f"select {counts}, {extremes} from {relation}"
                )[0]
                share = f"{(count - filled) / (count or 1) * 100:.3g} %"
                found.append((share, f"{different:,}", *(self._shown(name, end) for end in ends)))
            spread = ("", "")
            if name not in self._personal and any(set(families) <= kinds for kinds in (_NUMBERS, _TIMES)):
                spread = self._spread((before, after), name, families[0] in _TIMES)
            difference.profiles[name] = ((*found[0], spread[0]), (*found[1], spread[1]))

    def _spread(self, relations: tuple[str, str], name: str, is_time: bool) -> tuple[str, str]:
        """The column's values on both sides in eight steps from the least to the largest, as bars."""
        value = f"extract(epoch from {_q(name)})::float8" if is_time else f"{_q(name)}::float8"
        sides = " union all ".join(f"select {n} as side, {value} as v from {r}" for n, r in enumerate(relations))
        finite, steps = "v between -1e300 and 1e300", len(_BARS)
        statement = f"""
            with sides as ({sides}), ends as (select min(v) as low, max(v) as high from sides where {finite})
            select
                side, case when low = high then 1 else least(width_bucket(v, low, high, {steps}), {steps}) end, count(*)
            from sides cross join ends where {finite} group by 1, 2"""
        counts = {(side, step): count for side, step, count in rows(self._connection, statement)}
        most = max(counts.values(), default=1)
        bars = [
            "".join(
                _BARS[(counts[place] * len(_BARS) - 1) // most] if (place := (side, step)) in counts else "·"
                for step in range(1, steps + 1)
            )
            for side in (0, 1)
        ]
        return bars[0], bars[1]

    def _key(self, key: tuple[str, ...], side: str) -> str:
        """The key of a row as one text, personal data masked."""
        parts = []
        for name in key:
            text = f"{side}.{_q(name)}::text"
            parts.append(f"coalesce({f'left({text}, 1) || {_STARS}' if name in self._personal else text}, 'null')")
        return " || ' / ' || ".join(parts)

    def _examples(self, statement: str, key: tuple[str, ...]) -> list[tuple[Any, ...]]:
        return rows(self._connection, f"{statement} order by 1 limit {EXAMPLES}")

    def _shown(self, column: str, value: str | None) -> str:
        if value is None:
            return "null"
        return value[:1] + "***" if column in self._personal and value else value


_STARS = "'***'"


def adds_up(column: str) -> bool:
    """Whether a column's sum says something, by the names measures have in this project."""
    return column.endswith("_amount") or "quantity" in column


def seconds_of(connection: Any, query: str) -> float | None:
    """How long the warehouse takes for a query by itself; None if it cannot run it."""
    try:
        plan = rows(connection, f"explain (analyze, timing off, format json) {query}")[0][0]
    except psycopg2.Error:
        return None
    return float(plan[0]["Execution Time"]) / 1000


def _joined(before: str, after: str, key: tuple[str, ...]) -> str:
    # Nulls equal each other here, and a key that changed its type is still the same key.
    on = " and ".join(
        f"coalesce(b.{name}::text, '') = coalesce(h.{name}::text, '') and (b.{name} is null) = (h.{name} is null)"
        for name in map(_q, key)
    )
    side = '(select *, 1 as "review row" from {}) as {}'
    return f"{side.format(before, 'b')} full join {side.format(after, 'h')} on {on}"


def _differs(old: str, new: str, types: tuple[dict[str, str], dict[str, str]]) -> str:
    families = (_family(types[0][old]), _family(types[1][new]))
    comparable = families[0] == families[1] or set(families) <= _NUMBERS or set(families) <= _TEXTS
    cast = "" if comparable and families[0] not in _WITHOUT_EQUALITY else "::text"
    return f"b.{_q(old)}{cast} is distinct from h.{_q(new)}{cast}"


def _family(type_: str) -> str:
    return type_.split("(")[0].strip()


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
