"""A night against landing and building in place: python -m benchmarks.night --help, or make bench-night.

Each begins with all built. In each round 1 % of the orders change with their lines; then `make run` lands and builds
them, or the night lands, builds and publishes them. Docs and dashboards are left out of both. First all rounds of the
one, then those of the other: after a build in place a night compares every row.

The figures are medians over the rounds.
"""

import argparse
import sys
from collections import defaultdict

from benchmarks import FOLDER, PROJECT, measure
from benchmarks.measure import BenchmarkFailed, Command, Cost, Environment

RUN, NIGHT = "make run", "make night, without pages"
PYTHON = str(PROJECT / ".venv" / "bin" / "python")
LAND: Command = [PYTHON, "-m", "ingestion", "--quiet"]
BUILD: Command = [
    PROJECT / ".venv" / "bin" / "dbt", "--quiet", "build", "--exclude-resource-type", "unit_test",
    "--target-path", str(FOLDER / "target"), "--log-path", str(FOLDER / "logs"),
]  # fmt: skip


def run(options: argparse.Namespace) -> None:
    machine = measure.Machine()
    costs: dict[str, list[Cost]] = defaultdict(list)
    with measure.servers() as environment:
        environment |= {"DBT_PROFILES_DIR": "profiles", "DBT_TARGET": "local", "NIGHT_PAGES": "false"}
        measure.fill(options.scale)
        for name, way in ((RUN, in_place), (NIGHT, night)):
            way(environment)
            for number in range(options.rounds):
                print(f"{name}: round {number + 1} of {options.rounds}", flush=True)
                if not options.nothing_changed:
                    measure.change()
                measure.vacuum()
                costs[name].append(way(environment))
    medians = {name: Cost.median(found) for name, found in costs.items()}
    measure.table(medians, medians[RUN])
    measure.goal("night to make run", medians[NIGHT].wall / medians[RUN].wall, 1.2)
    content = {"scale": options.scale, "rounds": options.rounds, "medians": medians, "all": costs}
    content["machine"] = machine.describe([cost for found in costs.values() for cost in found])
    measure.write_report("bench_night.json", content)


def in_place(environment: Environment) -> Cost:
    return measure.cost_of(LAND, environment) + measure.cost_of(BUILD, environment)


def night(environment: Environment) -> Cost:
    """Raises ``BenchmarkFailed``: nothing was published."""
    cost = measure.cost_of([PYTHON, "-m", "operations", "night"], environment)
    with measure.on_warehouse() as cursor:
        cursor.execute(
            "select (select max(loaded_at) from quality.publications)"
            " = (select cast(max(loaded_at) at time zone 'UTC' as timestamp) from raw_classicmodels._landing_runs)"
        )
        if cursor.fetchall() != [(True,)]:
            raise BenchmarkFailed("The night published another landing than the last.")
    return cost


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.night", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1, help="size of the data; 1000 is 3 million lines (default: 1)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nothing-changed", action="store_true", help="land the same rows again")
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    sys.exit(measure.main(lambda: run(options)))
