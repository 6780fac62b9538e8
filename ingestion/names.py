"""MySQL names -> warehouse names: lower snake case, at most 63 bytes, unique within their table or schema."""

import hashlib
import re
from collections.abc import Iterable

MAX_LENGTH = 63  # bytes; PostgreSQL's limit, half of Redshift's


def snake_case(name: str) -> str:
    """``customerNumber`` -> ``customer_number``, ``MSRP`` -> ``msrp``, ``Order ID`` -> ``order_id``.

    What is neither an ASCII letter nor a digit separates words. No name starts with an underscore and a letter:
    those are kept for the landing's own columns and tables.
    """
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name))
    words = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return f"_{words}" if words[:1].isdigit() else words or "unnamed"


def warehouse_names(names: Iterable[str]) -> dict[str, str]:
    """A distinct warehouse name for each MySQL name.

    Where two become the same, the one that needed no change keeps it (else the first in alphabetical order);
    the others, and names that are too long, end in a hash of their MySQL name.
    """
    given: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (snake_case(name) != name, name)):
        plain = snake_case(name)
        if len(plain) > MAX_LENGTH or plain in given.values():
            suffix = "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
            plain = plain[: MAX_LENGTH - len(suffix)] + suffix
        given[name] = plain
    return given


def quote_mysql(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def quote(name: str) -> str:
    """Quote a name for the warehouse."""
    return '"' + name.replace('"', '""') + '"'
