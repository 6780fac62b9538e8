"""MySQL's types: their families and sizes, and whether one holds every value of another."""

import re

from landing.columns import HASH_OF
from landing.erased import ERASED

INTEGERS = {
    # the smallest warehouse type for signed and for unsigned
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
}
_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
SIZED_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
TEXTS = {*SIZED_TEXTS, "enum", "set"}
LONG_TEXTS = {"mediumtext", "longtext", "json"}
AS_TEXT = {"json", "uuid", "inet4", "inet6"}
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"}
GEOMETRIES = {
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
}
WITHOUT_ORDER = {*BYTES, *GEOMETRIES, "enum", "set", "year"}
"""Types without an order: their greatest landed value may not be MySQL's latest. As text, year 0 is in this century."""
TYPES = sorted({*INTEGERS, *TEXTS, *BYTES, *GEOMETRIES, *AS_TEXT} | {
    "decimal", "float", "double", "bit", "year", "date", "datetime", "timestamp", "time"
})  # fmt: skip


def members_of(column_type: str) -> list[str]:
    """The members of an enum or a set, as written by MySQL: ``''`` for a quotation mark."""
    return re.findall(r"'((?:[^']|'')*)'", column_type)


def name_of(column_type: str) -> str:
    return re.split(r"[ (]", column_type.lower())[0]


def erased_value(column_type: str) -> str | None:
    """Replaces a value of this type for an erased person: a word for a text, NULL for all else."""
    return ERASED if name_of(column_type) in SIZED_TEXTS else None


def holds(old: str, new: str) -> bool:
    """Whether every value of MySQL type ``old`` is also one of ``new``. If in doubt, no."""
    if old.startswith(HASH_OF) != new.startswith(HASH_OF):
        return False
    old, new = old.removeprefix(HASH_OF), new.removeprefix(HASH_OF)
    name, new_name = name_of(old), name_of(new)
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


def _whole_numbers(mysql_type: str) -> tuple[int, int] | None:
    """The least and the greatest whole number of a type. None for floats, and for types without numbers."""
    name, signed = name_of(mysql_type), "unsigned" not in mysql_type
    if name == "year":
        return 0, 2155
    sizes = [int(size) for size in re.findall(r"\d+", mysql_type.partition("(")[2].partition(")")[0])]
    if name == "bit":
        return 0, 2 ** sizes[0] - 1
    if name == "decimal":
        most = 10 ** (sizes[0] - sizes[1]) - 1
        return (-most if signed else 0), most
    if name not in _INTEGER_BITS:
        return None
    values = 2 ** _INTEGER_BITS[name]
    return (-values // 2, values // 2 - 1) if signed else (0, values - 1)


def _capacity(mysql_type: str) -> int:
    """The greatest length of a text or binary value, or the digits of a time."""
    sizes = {"tiny": 255, "text": 65_535, "blob": 65_535, "medium": 2**24 - 1, "long": 2**32 - 1}
    length = re.search(r"\((\d+)", mysql_type)
    if length:
        return int(length[1])
    return next((size for prefix, size in sizes.items() if name_of(mysql_type).startswith(prefix)), 0)
