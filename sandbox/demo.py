"""From nothing to a star schema: servers, data, landing, dbt build, docs, and the first answers."""

import functools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from sandbox import home, postgres

_QUESTIONS = {
    "Sales by product line": """
        select p.product_line, sum(f.gross_sales_amount), sum(f.net_sales_amount), sum(f.quantity_ordered)
        from fct_order_lines f left join dim_products p on p.product_key = f.product_key
        group by 1 order by 2 desc""",
    "Sales by country of the customer": """
        select l.country, sum(f.gross_sales_amount), sum(f.net_sales_amount), sum(f.quantity_ordered)
        from fct_order_lines f left join dim_locations l on l.location_key = f.customer_location_key
        group by 1 order by 2 desc""",
}


def run(load: Callable[[], bool], settings: Callable[[], dict[str, str]]) -> int:
    """Run every step, saying how long each took; stops at the first failure and returns its exit code."""
    times: list[tuple[str, float]] = []

    def timed(name: str, step: Callable[[], Any]) -> Any:
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        result = step()
        times.append((name, time.monotonic() - started))
        return result

    timed("servers and source data", load)
    environment = settings()
    os.environ.update(environment)
    land = [sys.executable, "-m", "ingestion", "--quiet"]
    landed = timed("land: python -m ingestion", lambda: subprocess.run(land, cwd=home.PROJECT, check=False).returncode)
    if landed:
        return int(landed)
    dbt = Dbt()
    for name, step in (
        ("transform and test: dbt build", functools.partial(dbt.run, "build")),
        ("document: make docs", functools.partial(write_docs, dbt)),
    ):
        if not timed(name, step):
            print("error: dbt failed; the messages above name the model or test. Rerun: make run", file=sys.stderr)
            return 1
    look_at = []
    if Path("serving/dashboards").exists():
        pages = [sys.executable, "-m", "serving.dashboards"]
        if timed("show: make dashboards", lambda: subprocess.run(pages, cwd=home.PROJECT, check=False).returncode):
            return 1
        look_at = ["  the figures        docs/site/dashboards/overview.html (opens from disk)"]
    answers()
    print("\nSeconds: " + ", ".join(f"{name.split(':')[0]} {seconds:.1f}" for name, seconds in times))
    print(
        "Where to look next",
        *look_at,
        "  the docs           docs/site/index.html (opens from disk)",
        "  the warehouse      make psql",
        "  a day of trade     make trade && make run",
        "  your own MySQL     make clean, set MYSQL_HOST and the rest as in .env.example, then make run",
        sep="\n",
    )
    return 0


_WORDS = {"success": "tables and views made", "pass": "tests passed"}
"""dbt's words for the end of a node, in plain ones. It has nothing to do for an exposure, which is not counted."""


class Dbt:
    """dbt in this process: its start and the parsed project are paid for once."""

    def __init__(self) -> None:
        os.environ.setdefault("DBT_PROFILES_DIR", "profiles")
        os.chdir(home.PROJECT)
        from dbt.cli.main import dbtRunner

        self._finished: Counter[str] = Counter()
        self._building = False
        self._runner = dbtRunner(callbacks=[self._count])

    def run(self, *words: str) -> bool:
        """Run one dbt command, showing errors and how far it got."""
        self._finished.clear()
        self._building = words[0] == "build"
        result = self._runner.invoke(["--quiet", *words])
        if self._building:
            done = (f"{count} {_WORDS.get(status, status)}" for status, count in self._finished.items())
            print("  " + ", ".join(done), flush=True)
        if result.exception:
            print(f"error: {result.exception or 'interrupted'}", file=sys.stderr)
        return bool(result.success)

    def _count(self, event: Any) -> None:
        if event.info.name == "NodeFinished" and event.data.node_info.node_status != "no-op":
            self._finished[str(event.data.node_info.node_status)] += 1
            if self._building and self._finished.total() % 50 == 0:
                print(f"  {self._finished.total()} tables and tests done", flush=True)


def write_docs(dbt: Dbt) -> bool:
    """Write the docs site from dbt's artifacts, and from its last build if there was one."""
    from catalog import lineage, project, site

    target = Path(os.environ.get("DBT_TARGET_PATH") or "target")
    project.keep_build_results(target)
    dbt.run("source", "freshness")  # stale sources are shown on a page; that is no failure
    if not dbt.run("docs", "generate", "--static"):
        return False
    try:
        print(f"The docs are in {site.write(target)}.")
    except lineage.LineageError as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def docs(environment: dict[str, str]) -> int:
    """Write the docs as a folder that opens without a server."""
    os.environ.update(environment)
    return 0 if write_docs(Dbt()) else 1


def answers() -> None:
    """Print the two questions of the README, as an analyst sees the marts; on a warehouse of yours as dbt does."""
    try:
        user, password = postgres.login("analyst").values()
    except postgres.AnotherServer:
        user, password = os.environ.get("DBT_USER", ""), os.environ.get("DBT_PASSWORD", "")
    connection = psycopg2.connect(
        "", user=user or None, password=password or None, options="-c search_path=marts_masked,marts"
    )
    with connection, connection.cursor() as cursor:
        for question, sql in _QUESTIONS.items():
            cursor.execute(sql)
            print(f"\n{question:<34}{'gross sales':>16}{'net of cancelled':>18}{'quantity':>12}")
            total = [0, 0, 0]
            for name, *numbers in cursor.fetchall():
                total = [sum(pair) for pair in zip(total, numbers, strict=True)]
                print(f"  {name:<32}{numbers[0]:>16,.2f}{numbers[1]:>18,.2f}{numbers[2]:>12,}")
            print(f"  {'all':<32}{total[0]:>16,.2f}{total[1]:>18,.2f}{total[2]:>12,}")
    connection.close()
