"""dbt build against the same SQL without dbt: python -m benchmarks.build --help, or make bench-build.

Every round starts with an empty warehouse and a first landing:

dbt, full             All nodes, as in make run, by dbt build --full-refresh.
dbt, 1 % changed      After 1 % of the orders changed with their lines.
dbt, nothing changed  After a landing without changes.
Queries               The marts by product line, country and month.
Floor, one session    The compiled SQL of the full build in one run of psql, as create table as and create view. Then
                      the data tests in another run.
Floor, four sessions  The same, with as many statements at a time as dbt has threads, each as soon as its inputs exist.

The figures are medians over the rounds. The project is parsed once before, as on any machine but a new one.
"""

import argparse
import concurrent.futures
import csv
import dataclasses
import graphlib
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import FOLDER, PROJECT, measure
from benchmarks.measure import BenchmarkFailed, Command, Cost, Environment, Stopwatch
from sandbox import postgres

TARGET = FOLDER / "target"
THREADS = 4
"""As in ``profiles/profiles.yml``."""
FULL, CHANGED, SAME = "dbt, full", "dbt, 1 % changed", "dbt, nothing changed"
FLOOR, FLOOR_TESTS = "floor, one session", "floor, one session, tests"
WIDE_FLOOR, WIDE_FLOOR_TESTS = "floor, four sessions", "floor, four sessions, tests"
_STAR = (
    "select {}, sum(f.net_sales_amount), sum(f.quantity_ordered) from marts.fct_order_lines f left join {} group by 1"
)
QUERIES = {
    "by product line, star": _STAR.format("product_line", "marts.dim_products d on d.product_key = f.product_key"),
    "by country, star": _STAR.format("country", "marts.dim_locations d on d.location_key = f.customer_location_key"),
    "by month, star": _STAR.format("year_month", "marts.dim_dates d on d.date_key = f.order_date_key"),
} | {
    f"by {name}, {kind}": sql
    for name, column in (("product_line", "product_line"), ("country", "customer_country"), ("month", "order_month"))
    for kind, sql in (
        (
            "wide table",
            f"select {column}, sum(net_sales_amount), sum(quantity_ordered) from marts.orders_obt group by 1",
        ),
        ("metrics", f"select * from marts.metrics_by_{name}"),
    )
}


@dataclasses.dataclass
class Spent:
    """Where one ``dbt build`` spent its time, in seconds."""

    start_and_parse: float
    """Of the wall time: before the first and after the last node."""
    by_type: dict[str, float]
    """Of the threads, which run at the same time."""
    nodes: dict[str, float]
    counts: dict[str, int]


@dataclasses.dataclass
class Floor:
    """The statements of a full build without dbt, by dbt's name of the node."""

    schemas: set[str]
    models: dict[str, str]
    inputs: dict[str, set[str]]
    """Names of the nodes in ``models`` read by each."""
    tests: dict[str, str]


def run(options: argparse.Namespace) -> None:
    machine = measure.Machine()
    costs: dict[str, list[Cost]] = defaultdict(list)
    spent: dict[str, list[Spent]] = defaultdict(list)
    queries: dict[str, list[float]] = defaultdict(list)
    with measure.servers() as environment:
        environment |= {"DBT_PROFILES_DIR": "profiles", "DBT_TARGET": "local"}
        measure.fill(options.scale)
        measure.cost_of(dbt("parse"), environment)  # warms up modules
        costs["dbt parse, new clone"].append(measure.cost_of(dbt("parse", "--no-partial-parse"), environment))
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            rows = one_round(environment, costs, spent, queries)
    report(options, machine, rows, costs, spent, queries)


def one_round(
    environment: Environment,
    costs: dict[str, list[Cost]],
    spent: dict[str, list[Spent]],
    queries: dict[str, list[float]],
) -> int:
    """One round; returns the number of order lines."""
    postgres.reset()
    measure.land(environment)
    for name, words in ((FULL, ["--full-refresh"]), (CHANGED, []), (SAME, [])):
        if name == CHANGED:
            measure.change()
        if name != FULL:
            measure.land(environment)
            measure.vacuum()
        costs[name].append(measure.cost_of(dbt("build", "--exclude-resource-type", "unit_test", *words), environment))
        spent[name].append(where_time_went(costs[name][-1].wall))
        if name == FULL:
            floor = floor_of_last_build()
    lines = time_queries(queries)
    for models, tests, sessions in ((FLOOR, FLOOR_TESTS, 1), (WIDE_FLOOR, WIDE_FLOOR_TESTS, THREADS)):
        with measure.on_warehouse() as cursor:
            for schema in floor.schemas:
                cursor.execute(f"drop schema if exists {schema} cascade")
                cursor.execute(f"create schema {schema}")
        costs[models].append(execute(floor.models, floor.inputs, sessions, environment))
        costs[tests].append(execute(floor.tests, {}, sessions, environment))
        with measure.on_warehouse() as cursor:
            cursor.execute("select count(*) from marts.fct_order_lines")
            ((built,),) = cursor.fetchall()
        if built != lines:
            raise BenchmarkFailed(f"{models} made {built} order lines, dbt made {lines}.")
    return lines


# dbt


def dbt(*words: str) -> Command:
    paths = ["--target-path", str(TARGET), "--log-path", str(FOLDER / "logs")]
    return [PROJECT / ".venv" / "bin" / "dbt", "--quiet", *words, *paths]


def where_time_went(wall: float) -> Spent:
    """Read from ``run_results.json`` of the last build, ``wall`` seconds in all."""
    results = json.loads((TARGET / "run_results.json").read_text(encoding="utf-8"))
    nodes = {result["unique_id"]: result["execution_time"] for result in results["results"]}
    by_type: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for name, seconds in nodes.items():
        by_type[name.split(".")[0]] += seconds
        counts[name.split(".")[0]] += 1
    return Spent(wall - results["elapsed_time"], dict(by_type), nodes, dict(counts))


# the floor


def floor_of_last_build() -> Floor:
    """The statements of the last build, from its manifest."""
    manifest = json.loads((TARGET / "manifest.json").read_text(encoding="utf-8"))
    floor = Floor(set(), {}, {}, {})
    for name, node in manifest["nodes"].items():
        if node["resource_type"] == "test":
            floor.tests[name] = f"select count(*) from ({node['compiled_code']}) failures"
        elif node["resource_type"] in ("model", "snapshot", "seed"):
            floor.models[name] = statement(node)
            floor.schemas.add(node["schema"])
            floor.inputs[name] = set(node["depends_on"].get("nodes", []))
    for inputs in floor.inputs.values():
        inputs.intersection_update(floor.models)
    return floor


def statement(node: Mapping[str, Any]) -> str:
    """The statement that makes a new model, snapshot or seed."""
    relation = node["relation_name"]
    if node["resource_type"] == "seed":
        with (PROJECT / node["original_file_path"]).open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        types = node["config"]["column_types"]
        columns = ", ".join(f"{name} {types[name]}" for name in header)
        rows = ", ".join(f"({', '.join(map(literal, line))})" for line in lines)
        return f"create table {relation} ({columns}); insert into {relation} values {rows}"
    if node["resource_type"] == "snapshot":  # dbt's own first statement: it adds the columns of the versions
        return Path(node["build_path"]).read_text(encoding="utf-8")
    kind = "view" if node["config"]["materialized"] == "view" else "table"
    return f"create {kind} {relation} as {node['compiled_code']}"


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if text else "null"


def execute(
    statements: Mapping[str, str], inputs: Mapping[str, set[str]], sessions: int, environment: Environment
) -> Cost:
    """Run statements with psql, each after its inputs: all in one session, or each in one of its own."""
    order = graphlib.TopologicalSorter({name: inputs.get(name, set()) for name in statements})
    script = FOLDER / "floor.sql"
    psql: list[str | Path] = [postgres.binaries() / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    if sessions == 1:
        script.write_text(";\n".join(statements[name] for name in order.static_order()), encoding="utf-8")
        return measure.cost_of([*psql, "--file", script], environment)
    with Stopwatch(environment) as watch, concurrent.futures.ThreadPoolExecutor(sessions) as pool:

        def one(name: str) -> str:
            watch.wait(watch.start([*psql, "--command", statements[name]]))
            return name

        order.prepare()
        running: set[concurrent.futures.Future[str]] = set()
        while order.is_active():
            running |= {pool.submit(one, name) for name in order.get_ready()}
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            order.done(*(future.result() for future in done))
    return watch.cost


def time_queries(times: dict[str, list[float]]) -> int:
    """Seconds of each query, the second time it runs; returns the number of order lines."""
    with measure.on_warehouse() as cursor:
        for name, sql in QUERIES.items():
            for _ in range(2):
                started = time.monotonic()
                cursor.execute(sql)
                cursor.fetchall()
                seconds = time.monotonic() - started
            times[name].append(seconds)
        cursor.execute("select count(*) from marts.fct_order_lines")
        return int(cursor.fetchone()[0])


# the report


def report(
    options: argparse.Namespace,
    machine: measure.Machine,
    lines: int,
    costs: dict[str, list[Cost]],
    spent: dict[str, list[Spent]],
    queries: dict[str, list[float]],
) -> None:
    medians = {name: Cost.median(list_of) for name, list_of in costs.items()}
    about = machine.describe([cost for list_of in costs.values() for cost in list_of])
    print(f"scale {options.scale:g}: {lines:,} order lines; medians of {options.rounds} rounds")
    floor = Cost(medians[FLOOR].wall + medians[FLOOR_TESTS].wall)
    wide = Cost(medians[WIDE_FLOOR].wall + medians[WIDE_FLOOR_TESTS].wall)
    measure.table(medians, floor)
    print("The ratio is to the floor of one session: models and tests.")

    types = ["model", "snapshot", "seed", "test"]
    print(f"\n{'where dbt spends its time':<34}{'start, parse':>14}" + "".join(f"{name + 's':>14}" for name in types))
    for name, list_of in spent.items():
        last = list_of[-1]
        parts = "".join(f"{last.by_type.get(kind, 0):>14.1f}" for kind in types)
        print(f"{name:<34}{last.start_and_parse:>14.1f}{parts}")
    print("Seconds of the last round; start and parse are wall time, the rest adds up four threads.")
    for name in (FULL, CHANGED):
        nodes = (f"{node.split('.')[2]} {seconds:.1f}" for node, seconds in slowest(spent[name]))
        print(f"Slowest nodes, {name.removeprefix('dbt, ')}: {', '.join(nodes)}")

    seconds = {name: statistics.median(list_of) for name, list_of in queries.items()}
    print(f"\n{'query of the marts':<34}{'seconds':>9}")
    for name, value in seconds.items():
        print(f"{name:<34}{value:>9.3f}")

    print("\ngoals, meant for scale 1000:")
    measure.goal("full build to floor of one session", medians[FULL].wall / floor.wall, 1.3)
    measure.goal("full build to floor of four sessions", medians[FULL].wall / wide.wall, 1.3)
    measure.goal("1 % changed to full build", medians[CHANGED].wall / medians[FULL].wall, 0.25)
    measure.goal("slowest query", max(seconds.values()), 1, " s")
    by_type = spent[FULL][-1].by_type
    print(f"Of the threads' time of the full build, tests take {by_type['test'] / sum(by_type.values()):.0%}.")
    content = {"scale": options.scale, "order_lines": lines, "rounds": options.rounds, "machine": about}
    content |= {"medians": medians, "all": costs, "dbt": spent, "queries": seconds}
    measure.write_report("bench_build.json", content)


def slowest(builds: list[Spent]) -> list[tuple[str, float]]:
    return sorted(builds[-1].nodes.items(), key=lambda item: -item[1])[:8]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.build", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1000, help="size of the data; 1000 is 3 million lines (default)")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    sys.exit(measure.main(lambda: run(options)))
