"""Changes of the source's schema since the last landing, judged before a row is read."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence

from landing.columns import TablePlan


@dataclasses.dataclass(frozen=True)
class KnownColumn:
    """A column at the last publication of its table."""

    source_table: str
    source_column: str
    source_type: str
    name: str
    raw_type: str
    key_position: int


@dataclasses.dataclass
class DriftVerdict:
    """The consequences of a table's drift for this landing."""

    is_new: bool = False
    added: list[str] = dataclasses.field(default_factory=list)
    """Warehouse names of columns to add."""
    widened: list[str] = dataclasses.field(default_factory=list)
    """Warehouse names of columns with a wider raw type."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """Changes that land and are reported."""
    breaking: list[str] = dataclasses.field(default_factory=list)
    """Changes that stop the table, unless drift is accepted."""

    @property
    def adopts(self) -> bool:
        """Whether the staged table becomes the raw table, rather than being compared with it."""
        return self.is_new or bool(self.breaking)


def judge(table: TablePlan, known: Sequence[KnownColumn], holds: Callable[[str, str], bool]) -> DriftVerdict:
    """Compare a table's plan with its columns of the last landing.

    ``holds`` takes two types of the source and says whether the second has every value of the first.
    """
    if not known:
        return DriftVerdict(is_new=True)
    verdict = DriftVerdict()
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
        if old.source_type != column.source_type:
            change = f"column {column.source.name} changed from {old.source_type} to {column.source_type}"
            grows = _raw_holds(old.raw_type, column.type.raw_type) and holds(old.source_type, column.source_type)
            if not grows:
                verdict.breaking.append(change)
            else:
                verdict.notes.append(change)
        if old.raw_type != column.type.raw_type:
            if _raw_holds(old.raw_type, column.type.raw_type):
                verdict.widened.append(column.name)
            elif old.source_type == column.source_type:
                verdict.breaking.append(f"column {column.source.name} lands differently: {column.type.raw_type}")
    verdict.breaking += [f"column {column.source_column} is gone" for column in before.values()]
    key = [column.source.name for column in table.key]
    old_key = [old.source_column for old in sorted(known, key=lambda old: old.key_position) if old.key_position]
    if key != old_key:
        verdict.breaking.append(f"its key changed from ({', '.join(old_key)}) to ({', '.join(key)})")
    return verdict


def vanished(followed: Iterable[str], present: set[str], views: set[str]) -> dict[str, str]:
    """Source tables of the last landing that are gone, or are now views that do not land. Each with its reason."""
    return {
        table: "it is a view now, and INGEST_VIEWS is not set"
        if table in views
        else "the source no longer has it, or MYSQL_USER may not read it"
        for table in followed
        if table not in present
    }


def may_be(table: TablePlan, known: Sequence[KnownColumn]) -> bool:
    """Whether a table has the columns of a vanished one, so that it may be that table under a new name."""
    return {(old.source_column, old.source_type) for old in known} == {
        (column.source.name, column.source_type) for column in table.columns
    }


def _raw_holds(old: str, new: str) -> bool:
    """Whether a raw column can become ``new`` and lose nothing."""
    integers = {"smallint": 5, "integer": 10, "bigint": 19, "numeric(20,0)": 20}
    if old == new:
        return True
    if old in integers and new in integers:
        return integers[new] > integers[old]
    lengths = [re.fullmatch(r"(character varying|varbyte)\((\d+)\)", kind) for kind in (old, new)]
    if lengths[0] and lengths[1]:
        return lengths[0][1] == lengths[1][1] and int(lengths[1][2]) >= int(lengths[0][2])
    fits = [re.fullmatch(r"numeric\((\d+),(\d+)\)", kind) for kind in (old, new)]
    if fits[0] and fits[1]:
        (precision, scale), (new_precision, new_scale) = (map(int, fit.groups()) for fit in fits if fit)
        return new_scale >= scale and new_precision - new_scale >= precision - scale
    return False
