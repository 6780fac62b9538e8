"""Redshift's SQL -> PostgreSQL's, token by token: what Redshift alone knows is replaced, or taken out and written down.

Tokens, not a parse tree: what is not touched reaches PostgreSQL as it was sent.
"""

import json
import re

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s+|--[^\n]*|/\*.*?\*/)+)
    | (?P<text>[eE]?'(?:[^'\\]|\\.|'')*'|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<name>"(?:[^"]|"")*")
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>\d[\w.]*|.)
    """,
    re.DOTALL | re.VERBOSE,
)
_UNITS = {"dateadd", "datediff", "date_part"}
"""Functions whose first argument may be a bare word: dateadd(month, 1, day)."""
_SHOW = (
    (r'show schemas from database "?([^"]+?)"?(?: like \'(.*)\')?', "redshift.show_schemas({0}, {1})"),
    (r'show tables from schema "([^"]+)"\."([^"]+)"', "redshift.show_tables({1})"),
    (r'show columns from table "([^"]+)"\."([^"]+)"\."([^"]+)"', "redshift.show_columns({1}, {2})"),
    (r'show grants on table "([^"]+)"\."([^"]+)"\."([^"]+)"', "redshift.show_grants({1}, {2})"),
)


class NotSupported(Exception):
    """A statement of Redshift's that this stand-in does not know."""


def plain(sql: str) -> str:
    """One statement on one line, without comments and the closing semicolon."""
    kept = (" " if match["space"] else match[0] for match in _TOKEN.finditer(sql))
    return "".join(kept).strip().rstrip(";").rstrip()


def rewrite(sql: str) -> str:
    """The statement for PostgreSQL; physical design rides along as a comment, which an event trigger writes down."""
    statement = plain(sql)
    for pattern, function in _SHOW:
        if found := re.fullmatch(pattern, statement, re.IGNORECASE):
            arguments = ["null" if group is None else "'" + group.replace("'", "''") + "'" for group in found.groups()]
            return f"select * from {function.format(*arguments)}"
    if re.match(r"(set|reset) query_group\b", statement, re.IGNORECASE):
        return "select 1 where false"
    if found := re.fullmatch(r'((?:create|drop) schema if (?:not )?exists) "[^"]+"\.(.*)', statement, re.IGNORECASE):
        return f"{found[1]} {found[2]}"  # named with its database
    if re.match(r"create table\b", statement, re.IGNORECASE):
        sql = re.sub(r"\bvarbyte\(\d+\)", "bytea", sql, flags=re.IGNORECASE)
    tokens = [match[0] for match in _TOKEN.finditer(sql)]
    words = [token.lower() for token in tokens if not _TOKEN.match(token)["space"]]  # type: ignore[index]
    design: dict[str, object] = {}
    if re.match(r"create (?:temp(?:orary)? )?table\b", statement, re.IGNORECASE):
        tokens = _take_out_design(tokens, design)
    elif re.match(r"create (?:or replace )?view\b", statement, re.IGNORECASE):
        if words[-4:] == ["with", "no", "schema", "binding"] or words[-5:-1] == ["with", "no", "schema", "binding"]:
            tokens = _without_binding(tokens)
            design["late_binding"] = True
    elif re.match(r"(unload|vacuum|alter table .* alter (dist|sort|encode))\b", statement, re.IGNORECASE):
        raise NotSupported(f"the stand-in for Redshift does not know: {statement[:60]}")
    text = "".join(_translated(tokens))
    return f"{text.rstrip().rstrip(';')} /*redshift {json.dumps(design)}*/" if design else text


def _translated(tokens: list[str]) -> list[str]:
    done: list[str] = []
    for position, token in enumerate(tokens):
        word = token.lower()
        following = "".join(tokens[position + 1 : position + 3]).lstrip()[:1]
        before = "".join(done[-3:]).rstrip().lower()
        if token.startswith('"'):
            done.append(word)  # names are folded to lower case, also in quotes
        elif word == "sysdate":
            done.append("getdate()")
        elif word == "max" and before.endswith("varchar("):
            done.append("65535")
        elif before.endswith("(") and before[:-1].rpartition(" ")[2].rpartition("(")[2] in _UNITS and following == ",":
            done.append(f"'{word}'")
        elif word == "pg_catalog" and "".join(tokens[position : position + 2]).lower() == "pg_catalog.":
            is_system_view = tokens[position + 2].lower().startswith("svv_")
            done.append("redshift" if is_system_view else token)
        else:
            done.append(token)
    return done


def _take_out_design(tokens: list[str], design: dict[str, object]) -> list[str]:
    """The CREATE TABLE without DISTSTYLE, DISTKEY, SORTKEY, ENCODE and BACKUP; ``design`` gets what they said."""
    kept: list[str] = []
    depth, position = 0, 0
    column = ""  # the column being defined, inside the list

    def argument() -> list[str]:
        """The names in the parentheses that follow, if any follow."""
        nonlocal position
        rest = position + 1
        while rest < len(tokens) and not tokens[rest].strip():
            rest += 1
        if rest >= len(tokens) or tokens[rest] != "(":
            return []
        end = tokens.index(")", rest)
        position = end
        names = "".join(tokens[rest + 1 : end]).split(",")
        return [name.strip().strip('"').lower() for name in names]

    def word_after() -> str:
        nonlocal position
        position += 1
        while not tokens[position].strip():
            position += 1
        return tokens[position].lower()

    while position < len(tokens):
        token = tokens[position]
        word = token.lower()
        if depth == 0 and word == "as":
            return kept + tokens[position:]
        if word == "(":
            depth += 1
            column = ""
        elif word == ")":
            depth -= 1
        elif word == "," and depth == 1:
            column = ""
        elif depth == 1 and not column and token.strip():
            column = word.strip('"')
        elif word == "diststyle":
            design["diststyle"] = word_after()
            position += 1
            continue
        elif word == "distkey":
            design["distkey"] = (argument() or [column])[0]
            position += 1
            continue
        elif word in ("compound", "interleaved") and depth == 0:
            design["sortstyle"] = word
            position += 1
            continue
        elif word == "sortkey":
            design["sortkey"] = argument() or [column]
            position += 1
            continue
        elif word == "encode":
            encodings = design.setdefault("encode", {})
            assert isinstance(encodings, dict)
            encodings[column] = word_after()
            position += 1
            continue
        elif word == "backup" and depth == 0:
            design["backup"] = word_after() == "yes"
            position += 1
            continue
        kept.append(token)
        position += 1
    return kept


def _without_binding(tokens: list[str]) -> list[str]:
    """Cuts the tail off, from its ``with`` on."""
    last = max(position for position, token in enumerate(tokens) if token.lower() == "with")
    return tokens[:last]
