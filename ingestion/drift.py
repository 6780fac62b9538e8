"""What changed in the source's schema since the last landing, judged before a row is read."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from ingestion.plan import Table


@dataclasses.dataclass(frozen=True)
class KnownColumn:
    """A column as it was when its table was last published."""

    source_table: str
    source_column: str
    source_type: str
    name: str
    raw_type: str
    key_position: int


@dataclasses.dataclass
class Verdict:
    """What a table's drift means for this landing."""

    is_new: bool = False
    added: list[str] = dataclasses.field(default_factory=list)
    """Warehouse names of columns to add."""
    widened: list[str] = dataclasses.field(default_factory=list)
    """Warehouse names of columns whose raw type grows."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """What is reported and lands."""
    breaking: list[str] = dataclasses.field(default_factory=list)
    """What stops the table unless drift is accepted."""


def judge(table: Table, known: Sequence[KnownColumn]) -> Verdict:
    """Compare a table's plan with its columns of the last landing."""
    if not known:
        return Verdict(is_new=True)
    verdict = Verdict()
    if known[0].source_table != table.source.name:
        verdict.breaking.append(f"it is now made from table {table.source.name}, not {known[0].source_table}")
    before = {column.name: column for column in known}
    for column in table.columns:
        old = before.pop(column.name, None)
        if old is None:
            verdict.added.append(column.name)
            verdict.notes.append(f"column {column.source.name} was added")
            continue
        if old.source_column != column.source.name:
            verdict.breaking.append(f"column {old.source_column} became {column.source.name}")
        if old.source_type != column.source.column_type:
            change = f"column {column.source.name} changed from {old.source_type} to {column.source.column_type}"
            if not _holds(old.source_type, column.source.column_type, old.raw_type, column.policy.raw_type):
                verdict.breaking.append(change)
            else:
                verdict.notes.append(change)
        if old.raw_type != column.policy.raw_type:
            if _raw_holds(old.raw_type, column.policy.raw_type):
                verdict.widened.append(column.name)
            elif old.source_type == column.source.column_type:
                verdict.breaking.append(f"column {column.source.name} lands differently: {column.policy.raw_type}")
    verdict.breaking += [f"column {column.source_column} is gone" for column in before.values()]
    key = [column.source.name for column in table.key]
    old_key = [old.source_column for old in sorted(known, key=lambda old: old.key_position) if old.key_position]
    if key != old_key:
        verdict.breaking.append(f"its key changed from ({', '.join(old_key)}) to ({', '.join(key)})")
    return verdict


def vanished(known: Mapping[str, Sequence[KnownColumn]], present: set[str]) -> dict[str, str]:
    """By source table: tables of the last landing that the source no longer has."""
    return {
        columns[0].source_table: "the source no longer has it"
        for columns in known.values()
        if columns and columns[0].source_table not in present
    }


def _holds(old: str, new: str, old_raw: str, new_raw: str) -> bool:
    """Whether every value of MySQL type ``old`` is also one of ``new``."""
    if not _raw_holds(old_raw, new_raw):
        return False
    old_name, new_name = old.split("(")[0].split()[0], new.split("(")[0].split()[0]
    if old_name in ("enum", "set") and new_name == old_name:
        return set(re.findall(r"'((?:[^']|'')*)'", old)) <= set(re.findall(r"'((?:[^']|'')*)'", new))
    if old_name == new_name == "double" or old_raw.startswith("numeric") or "int" in old_name:
        return True
    return _capacity(new) >= _capacity(old)


def _capacity(mysql_type: str) -> float:
    """How long a text or binary value, or how fine a time, may be."""
    name = mysql_type.split("(")[0].split()[0]
    sizes = {"tiny": 255, "text": 65_535, "blob": 65_535, "medium": 2**24 - 1, "long": 2**32 - 1}
    length = re.search(r"\((\d+)", mysql_type)
    if length:
        return float(length[1])
    return next((float(size) for prefix, size in sizes.items() if name.startswith(prefix)), 0.0)


def _raw_holds(old: str, new: str) -> bool:
    """Whether a raw column can become ``new`` and lose nothing."""
    integers = {"smallint": 5, "integer": 10, "bigint": 19, "numeric(20,0)": 20}
    if old == new or new == "text" and old == "text":
        return True
    if old in integers and new in integers:
        return integers[new] > integers[old]
    fits = [re.fullmatch(r"numeric\((\d+),(\d+)\)", kind) for kind in (old, new)]
    if fits[0] and fits[1]:
        (precision, scale), (new_precision, new_scale) = (map(int, fit.groups()) for fit in fits if fit)
        return new_scale >= scale and new_precision - new_scale >= precision - scale
    return False
