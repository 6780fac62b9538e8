"""The gate for portable SQL over what was sent, less what dbt-redshift writes by itself."""

import re

from checks.gate import Violation
from checks.gate import violations as every_violation

_OF_THE_ADAPTER = [
    (marker, re.compile(pattern, re.IGNORECASE))
    for marker, pattern in (
        # a snapshot hashes keys and a time, never as long as 256 bytes, and compares hashes
        ('"node_id": "snapshot.', r"cast\(\S+ as varchar \)"),
        ("as DBT_INTERNAL_SOURCE", r"(?:dbt_scd_id|dbt_change_type)::text"),
        ("as DBT_INTERNAL_SOURCE", r"'(?:insert|update|delete)'::text"),
        # a value of a unit test, in the type of a view's column: PostgreSQL gives it no length, Redshift always one
        ('"node_id": "unit_test.', r"""cast\((?:[^'"()]|'(?:[^']|'')*')*? as character varying\)\s+as \""""),
        # lists of functions, dependencies and columns; Redshift reads the backslash as it is meant
        ("from pg_proc", r"(?:proname|nspname)::varchar"),
        ("from pg_depend", r"nspname not like 'pg\\_%'"),
        ("pg_get_late_binding_view_cols()", r"(?:'[^']*'|null)::(?:varchar|text)|\bcol\w*_type varchar,"),
        ("from svv_table_info", r"'[^']*'::text"),
    )
]


def violations(sql: str) -> list[Violation]:
    """What Redshift has against a statement."""
    text = re.sub(r"(?<!\w)\$\d+", lambda parameter: "0" * len(parameter[0]), sql)  # values that are bound later
    own = [match.span() for marker, pattern in _OF_THE_ADAPTER if marker in sql for match in pattern.finditer(text)]
    return [one for one in every_violation(text) if not any(start <= one.offset < end for start, end in own)]
