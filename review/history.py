"""The history under both sides: copies of the warehouse's snapshots, and second versions if it has none.

Each key but the last gets an older version. It had its neighbour's value in the first checked column, and ended amid
the data's days. So facts bind to both, and sums by place or product stay those of the warehouse. The last key keeps
the landing's time, since a snapshot knows by it the rows it has seen.
"""

import tempfile
from collections.abc import Container
from typing import Any

from review.changes import relations
from review.dbt import Manifest
from review.schemas import rows


def snapshots(manifest: Manifest) -> dict[str, Any]:
    return {uid: node for uid, node in relations(manifest).items() if node["resource_type"] == "snapshot"}


def in_warehouse(connection: Any, manifest: Manifest, prefix: str, own: str) -> dict[str, str]:
    """By snapshot, the warehouse's own relation. Those of an earlier version of the project count as missing."""
    found = {}
    for uid, node in snapshots(manifest).items():
        schema = own + node["schema"].removeprefix(f"{prefix}_")
        statement = (
            "select attrelid::regclass::text from pg_attribute"
            " where attrelid = to_regclass(%s) and attname = 'landed_at' and not attisdropped"
        )
        if there := rows(connection, statement, (f'"{schema}"."{node["alias"]}"',)):
            found[uid] = str(there[0][0])
    return found


def state(connection: Any, stored: dict[str, str]) -> str:
    """A text for the state of the history, another one for any other state."""
    counts = "count(*), count(dbt_valid_to), max(dbt_updated_at)"
    return str([rows(connection, f"select {counts} from {relation}") for relation in stored.values()])


def copy(connection: Any, relation: str, to: str) -> None:
    rows(connection, f"create table {to} as select * from {relation}")


def fetch(source: Any, connection: Any, relation: str, to: str, personal: Container[str]) -> None:
    """Copy a relation of another warehouse. Texts of ``personal`` columns leave it as hashes."""
    statement = (
        "select quote_ident(attname), attname, format_type(atttypid, atttypmod), typcategory from pg_attribute"
        " join pg_type on pg_type.oid = atttypid where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " order by attnum"
    )
    made, read = [], []
    for column, name, type_, category in rows(source, statement, (relation,)):
        made.append(f"{column} {type_}")
        masked = f"left(md5(trim({column})), length(trim({column})))" if category == "S" else "null"
        read.append(masked if name in personal and category not in _NUMBERS_AND_TIMES else column)
    rows(connection, f"create table {to} ({', '.join(made)})")
    with tempfile.TemporaryFile() as file, source.cursor() as reader, connection.cursor() as writer:
        reader.copy_expert(f"copy (select {', '.join(read)} from {relation}) to stdout", file)
        file.seek(0)
        writer.copy_expert(f"copy {to} from stdin", file)


def make_second_versions(connection: Any, node: Any, day: str) -> bool:
    """Whether there were none, and there are now."""
    relation, key = node["relation_name"], node["config"]["unique_key"]
    versions = f"select max(versions) from (select count(*) as versions from {relation} group by {key}) as keys"
    if rows(connection, versions)[0][0] != 1:
        return False
    columns = [name for (name,) in rows(connection, _COLUMNS, (relation,))]
    checked = node["config"]["check_cols"]
    checked = checked[0] if isinstance(checked, list) else next(name for name in columns if name != key)
    own = {
        checked: f"lead({checked}) over (order by {key})",
        "dbt_scd_id": "md5(dbt_scd_id)",
        "dbt_updated_at": f"cast('{day}' as timestamp) - interval '1 day'",
        "dbt_valid_from": f"cast('{day}' as timestamp) - interval '1 day'",
        "dbt_valid_to": f"cast('{day}' as timestamp)",
    }
    names = ", ".join(columns)
    older = ", ".join(f"{own.get(name, name)} as {name}" for name in columns)
    rows(
        connection,
        f"""
        insert into {relation} ({names})
        select {names} from (
            select {older}, row_number() over (order by {key} desc) as place from {relation} where dbt_valid_to is null
        ) as older where place > 1;
        update {relation} as newer set dbt_updated_at = older.dbt_valid_to, dbt_valid_from = older.dbt_valid_to
        from {relation} as older
        where newer.{key} = older.{key} and newer.dbt_valid_to is null and older.dbt_valid_to is not null""",
    )
    return True


_NUMBERS_AND_TIMES = ("N", "D")  # Postgres' categories of types
_COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"


def middle_day(connection: Any, manifest: Manifest) -> str:
    """The day with as many orders before it as after it; today, if there is no such table."""
    for source in manifest["sources"].values():
        if source["name"] == "orders" and rows(connection, "select to_regclass(%s)", (source["relation_name"],))[0][0]:
            middle = "select percentile_disc(0.5) within group (order by order_date)::text"
            return str(rows(connection, f"{middle} from {source['relation_name']}")[0][0] or "today")
    return "today"
