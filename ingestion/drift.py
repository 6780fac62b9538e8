"""What changed in the source's schema since the last landing, judged before a row is read."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from ingestion.plan import Table
from ingestion.types import BYTES, GEOMETRIES, HASH_OF, INTEGER_BITS, SIZED_TEXTS, members_of


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

    @property
    def adopts(self) -> bool:
        """Whether the staged table becomes the raw table, rather than being compared with it."""
        return self.is_new or bool(self.breaking)


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
        if old.source_type != column.source_type:
            change = f"column {column.source.name} changed from {old.source_type} to {column.source_type}"
            grows = _raw_holds(old.raw_type, column.policy.raw_type) and _holds(old.source_type, column.source_type)
            if not grows:
                verdict.breaking.append(change)
            else:
                verdict.notes.append(change)
        if old.raw_type != column.policy.raw_type:
            if _raw_holds(old.raw_type, column.policy.raw_type):
                verdict.widened.append(column.name)
            elif old.source_type == column.source_type:
                verdict.breaking.append(f"column {column.source.name} lands differently: {column.policy.raw_type}")
    verdict.breaking += [f"column {column.source_column} is gone" for column in before.values()]
    key = [column.source.name for column in table.key]
    old_key = [old.source_column for old in sorted(known, key=lambda old: old.key_position) if old.key_position]
    if key != old_key:
        verdict.breaking.append(f"its key changed from ({', '.join(old_key)}) to ({', '.join(key)})")
    return verdict


def vanished(followed: Iterable[str], present: set[str], views: set[str]) -> dict[str, str]:
    """By source table: those of the last landing that the source no longer has, or has as views that do not land."""
    return {
        table: "it is a view now, and INGEST_VIEWS is not set"
        if table in views
        else "the source no longer has it, or MYSQL_USER may not read it"
        for table in followed
        if table not in present
    }


def _holds(old: str, new: str) -> bool:
    """Whether every value of MySQL type ``old`` is also one of ``new``. Where that is not sure, no."""
    if old.startswith(HASH_OF) != new.startswith(HASH_OF):
        return False
    old, new = old.removeprefix(HASH_OF), new.removeprefix(HASH_OF)
    name, new_name = _name(old), _name(new)
    if _whole_numbers(old) or _whole_numbers(new):
        before, after = _whole_numbers(old), _whole_numbers(new)
        return bool(before and after and after[0] <= before[0] and before[1] <= after[1])
    if name in ("float", "double"):
        signs = "unsigned" in old or "unsigned" not in new
        return signs and "(" not in new and (name, new_name) in (("float", "float"), (name, "double"))
    if name in ("enum", "set"):
        members = [set(members_of(kind)) for kind in (old, new)]
        return name == new_name and members[0] <= members[1]
    if name in GEOMETRIES:
        return new_name in (name, "geometry")
    family = {name, new_name}
    if name != new_name and not (family <= SIZED_TEXTS or family <= BYTES):
        return False
    return _capacity(new) >= _capacity(old)


def _name(mysql_type: str) -> str:
    return re.split(r"[ (]", mysql_type)[0]


def _whole_numbers(mysql_type: str) -> tuple[int, int] | None:
    """The least and the greatest whole number of a type; None: it is not one of numbers, or of floats."""
    name, signed = _name(mysql_type), "unsigned" not in mysql_type
    if name == "year":
        return 0, 2155
    sizes = [int(size) for size in re.findall(r"\d+", mysql_type.partition("(")[2].partition(")")[0])]
    if name == "bit":
        return 0, 2 ** sizes[0] - 1
    if name == "decimal":
        most = 10 ** (sizes[0] - sizes[1]) - 1
        return (-most if signed else 0), most
    if name not in INTEGER_BITS:
        return None
    values = 2 ** INTEGER_BITS[name]
    return (-values // 2, values // 2 - 1) if signed else (0, values - 1)


def _capacity(mysql_type: str) -> int:
    """How long a text or binary value, or how fine a time, may be."""
    sizes = {"tiny": 255, "text": 65_535, "blob": 65_535, "medium": 2**24 - 1, "long": 2**32 - 1}
    length = re.search(r"\((\d+)", mysql_type)
    if length:
        return int(length[1])
    return next((size for prefix, size in sizes.items() if _name(mysql_type).startswith(prefix)), 0)


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
