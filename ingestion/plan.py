"""Per table: the SELECT that formats its rows, its columns in the warehouse, and the checksum on both sides.

A row travels as one line of CSV. MySQL adds up checksums of the lines as it sends them; the warehouse makes the same
lines again from what arrived and adds up theirs. Equal counts and sums say that every row arrived as it was sent.
"""

import dataclasses
import hashlib
from collections.abc import Sequence

from ingestion.names import quote, quote_mysql, warehouse_names
from ingestion.settings import Settings
from ingestion.source import Source, SourceColumn, SourceTable, SourceUnavailable, select_list
from ingestion.suppression import ERASED, Suppressions, erased_value
from ingestion.types import (
    HASH_OF,
    INTEGER_BITS,
    LONG_TEXTS,
    WITHOUT_ORDER,
    NoPolicy,
    Policy,
    hashed,
    on_redshift,
    policy,
)

MAX_COLUMNS = 1598
"""PostgreSQL's 1,600 without ``_loaded_at`` and, while staged, ``_exceptions``."""
EXCEPTIONS = "_exceptions"
"""Column of a staged row: ``<column number>:<hex of the original>``, one word per value that could not be held."""


@dataclasses.dataclass(frozen=True)
class Column:
    source: SourceColumn
    name: str
    policy: Policy
    withheld_if: str = ""
    """MySQL condition for the rows of people who were erased: they are read as if the column said nothing of them."""

    @property
    def in_mysql(self) -> str:
        name = quote_mysql(self.source.name)
        erased = f"'{ERASED}'" if erased_value(self.source.column_type) else "NULL"
        return f"IF({self.withheld_if}, {erased}, {name})" if self.withheld_if else name

    @property
    def quoted(self) -> str:
        return quote(self.name)

    @property
    def source_type(self) -> str:
        """Its type in MySQL, as records have it: what lands hashed is another thing than what lands in clear."""
        return f"{HASH_OF}{self.source.column_type}" if self.policy.is_hash else self.source.column_type

    @property
    def unfit(self) -> str | None:
        return self.policy.unfit.replace("{}", self.in_mysql) if self.policy.unfit else None

    @property
    def original(self) -> str:
        return self.policy.original.replace("{}", self.in_mysql)

    @property
    def in_marks(self) -> bool:
        """Whether every field of the column stands in quotation marks, which the line then brings."""
        return self.policy.quoted and not self.may_be_empty

    @property
    def may_be_empty(self) -> bool:
        """Whether the field may be that of NULL: nothing, without quotation marks."""
        return self.source.nullable or bool(self.unfit)

    def sent(self) -> str:
        """MySQL expression for the field: empty for NULL, in quotes where it may hold anything."""
        text = self.policy.sent.replace("{}", self.in_mysql)
        if self.policy.quoted:
            text = f"""REPLACE({text}, '"', '""')"""
        if not self.may_be_empty:
            return text
        value = f"""CONCAT('"', {text}, '"')""" if self.policy.quoted else text
        if self.unfit:
            return f"CASE WHEN {self.in_mysql} IS NULL OR {self.unfit} THEN '' ELSE {value} END"
        return f"IF({self.in_mysql} IS NULL, '', {value})"

    def read_back(self) -> str:
        """Warehouse expression, of any type, whose text is the field again; NULL is an empty one."""
        text = self.policy.read_back.replace("{}", self.quoted)
        if self.policy.quoted:
            text = f"""replace({text}, '"', '""')"""
        return f"""'"' || {text} || '"'""" if self.policy.quoted and self.may_be_empty else text

    def published(self, alias: str = "") -> str:
        """Warehouse expression for the raw value of a staged row."""
        value = f"{alias}.{self.quoted}" if alias else self.quoted
        if self.policy.published:
            return self.policy.published.replace("{}", value)
        return f"cast({value} as {self.policy.raw_type})" if self.policy.staged_type else value


@dataclasses.dataclass(frozen=True)
class Table:
    source: SourceTable
    name: str
    columns: tuple[Column, ...]
    staged_name: str
    change_column: Column | None = None

    @property
    def key(self) -> tuple[Column, ...]:
        """Empty when the source has no key, or one whose columns do not all land, or not as distinct as they are."""
        keyed = sorted((column for column in self.columns if column.source.key_position), key=_key_position)
        if not all(column.policy.tells_apart for column in keyed):
            return ()
        complete = len(keyed) == sum(1 for column in self.source.columns if column.key_position)
        return tuple(keyed) if complete else ()

    @property
    def first_key(self) -> Column | None:
        """A whole number by which the rows can be read and published in blocks: first in the key and in the line."""
        key = self.key
        if not (self.source.in_key_order and key and key[0] is self.columns[0] and len(self.columns) > 1):
            return None
        whole = key[0].source.data_type in INTEGER_BITS and key[0].policy.raw_type in ("smallint", "integer", "bigint")
        return key[0] if whole and not any(column.unfit for column in key) else None

    @property
    def keeps_exceptions(self) -> bool:
        return any(column.unfit for column in self.columns)

    @property
    def staged_names(self) -> list[str]:
        return [column.name for column in self.columns] + ([EXCEPTIONS] if self.keeps_exceptions else [])

    @property
    def exceptions(self) -> str:
        """MySQL expression for the values of a row that cannot be held."""
        originals = [
            f"IF({column.in_mysql} IS NOT NULL AND ({column.unfit}),"
            f" CONCAT('{number}:', HEX({column.original}), ' '), '')"
            for number, column in enumerate(self.columns)
            if column.unfit
        ]
        return f"TRIM(CONCAT({', '.join(originals)}))"

    def line(self, checksum: str) -> str:
        """MySQL expression for a row's line; adds up checksums on the way.

        CONCAT, unlike CONCAT_WS, leaves nothing out: where a field or the original of one outgrows
        ``max_allowed_packet``, the whole line is NULL, which the reader takes for an error. ``checksum`` is MySQL's
        expression for the checksum of a row, whose line is ``@landing_line``.
        """
        fields = [(column.sent(), column.in_marks) for column in self.columns]
        fields += [(self.exceptions, False)] if self.keeps_exceptions else []
        added_up = f"@landing_checksum := @landing_checksum + {checksum}"
        return f"CONCAT(@landing_line := CONCAT({', '.join(_parts(fields))}), IF({added_up}, '', ''))"

    def read_back(self) -> str:
        """Warehouse expression that makes a staged row's line again."""
        fields = [(column.read_back(), column.in_marks) for column in self.columns]
        if self.keeps_exceptions:
            fields.append((quote(EXCEPTIONS), False))
        parts = _parts(fields)
        while True:  # a function takes at most 100 arguments
            parts = [f"concat({', '.join(parts[start : start + 50])})" for start in range(0, len(parts), 50)]
            if len(parts) == 1:
                return parts[0]


def _parts(fields: Sequence[tuple[str, bool]]) -> list[str]:
    """What CONCAT makes a line of: the fields, each with whether quotation marks go around it, and what is between."""
    parts, between = [], ""
    for field, in_marks in fields:
        mark = '"' if in_marks else ""
        parts += [f"'{between}{mark}'", field]
        between = f"{mark},"
    parts.append(f"'{between[:-1]}'")
    return [part for part in parts if part != "''"]


def plan_tables(
    source: Source, tables: Sequence[SourceTable], settings: Settings, suppressions: Suppressions
) -> tuple[list[Table], dict[str, str]]:
    """A plan for each table the settings ask for, and by MySQL name the reason for each that cannot land.

    ``tables`` are all there are: what a table is named must not depend on which others land with it.
    """
    names = warehouse_names(table.name for table in tables)
    plans, refused = [], {}
    for table in tables:
        if not settings.wants(table.name) or table.is_view and not settings.with_views:
            continue
        try:
            plans.append(plan_table(source, table, names[table.name], settings, suppressions))
        except NoPolicy as error:
            refused[table.name] = str(error)
        except SourceUnavailable:
            raise
        except Exception as error:  # whatever is wrong with this one, the others land
            refused[table.name] = f"it could not be planned ({type(error).__name__})"
    return plans, refused


def plan_table(
    source: Source,
    table: SourceTable,
    name: str,
    settings: Settings,
    suppressions: Suppressions,
    check_texts: bool = False,
) -> Table:
    """Raises ``NoPolicy`` where a column's type has none, naming the column, or the table cannot be held."""
    kept = [column for column in table.columns if not settings.leaves_out(table.name, column.name)]
    if not kept:
        doubt = " (does the view still work, and may the user EXECUTE the functions that it calls?)"
        raise NoPolicy("it has no column to land" + (doubt if table.is_view else ""))
    if len(kept) > MAX_COLUMNS:
        raise NoPolicy(f"it has {len(kept)} columns; the warehouse can hold {MAX_COLUMNS}. See INGEST_EXCLUDE_COLUMNS")
    names = warehouse_names(column.name for column in table.columns)
    withheld_if, withheld = _withheld(source, table, name, names, settings, suppressions)
    columns = []
    for column in kept:
        how = _policy(table, column, settings, check_texts)
        if withheld_if and names[column.name] in withheld:
            if column.key_position:
                raise NoPolicy(f"column {column.name} is in its key now, so it cannot be withheld for people erased")
            if settings.hashes(table.name, column.name):
                how = dataclasses.replace(how, sent=f"IF({withheld_if}, '{ERASED}', {how.sent})")
            column = dataclasses.replace(column, nullable=True)
            columns.append(Column(column, names[column.name], how, withheld_if))
        else:
            columns.append(Column(column, names[column.name], how))
    changed = next((column.name for column in table.columns if settings.tells_change(table.name, column.name)), None)
    change_column = next((column for column in columns if column.source.name == changed), None)
    # a second reading must not meet files of the first; no warehouse name has capitals
    staged_name = f"AGAIN_{hashlib.sha256(name.encode()).hexdigest()[:32]}" if check_texts else name
    plan = Table(table, name, tuple(columns), staged_name, change_column)
    if changed and not (change_column and plan.key):
        raise NoPolicy(f"INGEST_INCREMENTAL names {table.name}.{changed}; it takes the column, and a key on the table")
    if change_column and (change_column.policy.is_hash or change_column.source.data_type in WITHOUT_ORDER):
        why = "lands hashed" if change_column.policy.is_hash else f"is {change_column.source.data_type}"
        raise NoPolicy(f"INGEST_INCREMENTAL names {table.name}.{changed}, which {why}: it has no order to go by")
    return plan


def _policy(table: SourceTable, column: SourceColumn, settings: Settings, check_texts: bool) -> Policy:
    data_type = "text" if settings.staging and column.data_type in LONG_TEXTS else column.data_type  # no base64 there
    try:
        how = policy(data_type, column.column_type, column.charset, check_texts)
    except NoPolicy as error:
        raise NoPolicy(f"column {column.name}: {error}") from None
    if table.is_view and column.data_type == "decimal":  # only an expression is ever minus zero, which no numeric is
        how = dataclasses.replace(how, sent="{} + 0")
    if settings.hashes(table.name, column.name):
        how = hashed(how, f"x'{settings.hash_key.encode().hex()}'")
    return on_redshift(how, data_type, column.column_type, column.charset) if settings.staging else how


def _withheld(
    source: Source,
    table: SourceTable,
    name: str,
    names: dict[str, str],
    settings: Settings,
    suppressions: Suppressions,
) -> tuple[str, frozenset[str]]:
    """The MySQL condition for the rows of people who were erased, and the columns that they lose.

    Empty where the list, or the snapshot, has none of them; no query is made where the list has none for this table.
    """
    rule = suppressions.rule(name)
    if rule is None:
        return "", frozenset()
    column = next((column for column in table.columns if names[column.name] == rule.subject_column), None)
    if column is None:
        raise NoPolicy(
            f"nothing says whose a row is: {rule.subject_column} is gone, and people who were erased could land"
        )
    key = _policy(table, column, settings, False).sent.replace("{}", quote_mysql(column.name))
    present = f"{quote_mysql(column.name)} IS NOT NULL"
    keys = source.stream(select_list(settings.database, table.name, f"DISTINCT {key}", present))
    found = [value for batch in keys for value in map(bytes.decode, batch) if suppressions.has(rule, value)]
    literals = ", ".join(source.literal(value) for value in found)
    return (f"CAST({key} AS BINARY) IN ({literals})", rule.columns) if found else ("", frozenset())


def _key_position(column: Column) -> int:
    return column.source.key_position
