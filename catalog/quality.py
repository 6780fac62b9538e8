"""How good the data were at each build, by dimension, as macros/quality.sql recorded it in the warehouse."""

import dataclasses
import datetime

from psycopg2 import sql

from catalog.connection import connect

DIMENSIONS = {
    "accuracy": "the numbers are the source's, and agree with each other",
    "completeness": "nothing is missing",
    "uniqueness": "nothing is there twice",
    "timeliness": "as new as the last landing, and every day has its version",
    "validity": "values are of the range or list they belong to, keys are found",
}


@dataclasses.dataclass
class DimensionScore:
    """The tests of one dimension in one build."""

    passed: int
    warned: int
    failed: int
    rows_failing: int
    failing: list[str]
    """Tests without a pass."""

    @property
    def run(self) -> int:
        """All tests, whatever their result."""
        return self.passed + self.warned + self.failed

    @property
    def state(self) -> str:
        return "fail" if self.failed else "warn" if self.warned else "pass"


@dataclasses.dataclass
class BuildScores:
    invocation_id: str
    started_at: datetime.datetime
    scores: dict[str, DimensionScore]


@dataclasses.dataclass
class Publication:
    """The build that the public marts are of (``macros/publish.sql``)."""

    invocation_id: str
    loaded_at: datetime.datetime
    """Of its landing, UTC."""


def publication(schema: str) -> Publication | None:
    """The last one; None where there is none, or a build wrote the public marts directly since."""
    connection = connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s)", (sql.Identifier(schema, "publications").as_string(connection),))
            if cursor.fetchone() == (None,):
                return None
            statement = """
                select invocation_id, loaded_at at time zone 'UTC' from {publications}
                where published_at >= all (select built_at from {builds}) order by published_at desc limit 1
            """
            names = {name: sql.Identifier(schema, name) for name in ("publications", "builds")}
            cursor.execute(sql.SQL(statement).format(**names))
            found = cursor.fetchone()
            return Publication(*found) if found else None
    finally:
        connection.close()


def builds(schema: str, limit: int = 20, invocation_id: str = "") -> list[BuildScores]:
    """The last builds with tests, the latest first, or that one; none if nothing was recorded."""
    table = sql.Identifier(schema, "test_results")
    connection = connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s)", (table.as_string(connection),))
            if cursor.fetchone() == (None,):
                return []
            statement = """
                select invocation_id, started_at, dimension,
                    sum(case when status = 'pass' then 1 else 0 end),
                    sum(case when status = 'warn' then 1 else 0 end),
                    sum(case when status not in ('pass', 'warn') then 1 else 0 end),
                    coalesce(sum(rows_failing), 0),
                    array_remove(array_agg(case when status <> 'pass' then test_name end order by test_name), null)
                from {table}
                where invocation_id in (
                    select invocation_id from {table} where %s in ('', invocation_id)
                    group by invocation_id order by max(started_at) desc limit %s
                )
                group by invocation_id, started_at, dimension
                order by started_at desc, invocation_id, dimension
            """
            cursor.execute(sql.SQL(statement).format(table=table), (invocation_id, limit))
            found: dict[str, BuildScores] = {}
            for invocation_id, started_at, dimension, passed, warned, failed, rows, failing in cursor.fetchall():
                build = found.setdefault(invocation_id, BuildScores(invocation_id, started_at, {}))
                build.scores[dimension] = DimensionScore(passed, warned, failed, int(rows), failing)
            return list(found.values())
    finally:
        connection.close()
