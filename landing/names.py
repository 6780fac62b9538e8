"""MySQL names -> warehouse names: lower snake case, at most 62 bytes, unique within their table or schema."""

import hashlib
import re
from collections.abc import Iterable

MAX_LENGTH = 62  # bytes: PostgreSQL's 63, less one for the type that each table brings; half of Redshift's
RESERVED = {
    *("ctid", "cmin", "cmax", "oid", "tableoid", "xmin", "xmax"),  # no column can have these
    *("landing_runs", "landing_tables", "landing_deletions", "landing_exceptions", "landing_columns", "landing_state"),
}
"""Names refused by PostgreSQL. Each table brings a type named after it with an underscore in front, so a table
``landing_runs`` would clash with ``_landing_runs``."""


def snake_case(name: str) -> str:
    """``customerNumber`` -> ``customer_number``, ``MSRP`` -> ``msrp``, ``Order ID`` -> ``order_id``.

    Any character but ASCII letters and digits separates words. No name starts with an underscore and a letter,
    because the landing's own columns and tables do. ``ctid`` -> ``ctid_``: see ``RESERVED``.
    """
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name))
    words = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    if words in RESERVED:
        return f"{words}_"
    return f"_{words}" if words[:1].isdigit() else words or "unnamed"


def warehouse_names(names: Iterable[str]) -> dict[str, str]:
    """A distinct warehouse name for each MySQL name.

    1. If two names become the same, the one without a change keeps it, else the first in alphabetical order.
    2. The others end in a hash of their MySQL name. So do names that are too long.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (snake_case(name) != name, name)):
        plain = found = snake_case(name)
        digest = hashlib.sha256(name.encode()).hexdigest()
        for length in range(8, len(digest)):  # longer only if another name already looks like that
            if len(found) <= MAX_LENGTH and found not in taken:
                break
            found = f"{plain[: MAX_LENGTH - 1 - length]}_{digest[:length]}"
        taken.add(found)
        given[name] = found
    return given


def fit(name: str) -> str:
    """A name of the landing's own. If it is too long, a hash keeps it distinct."""
    if len(name) <= MAX_LENGTH:
        return name
    return f"{name[: MAX_LENGTH - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def raw_schema(database: str) -> str:
    """The schema for the tables of a MySQL database."""
    return fit(f"raw_{snake_case(database)}")


def quote_mysql(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def quote(name: str) -> str:
    """Quote a name for the warehouse."""
    return '"' + name.replace('"', '""') + '"'
