"""``python -m tests.mutations``: break the models, one small way at a time, and report which breaks dbt's tests notice."""

import argparse
import time

from sandbox import __main__ as sandbox
from tests import SEED
from tests.conftest import Servers
from tests.mutations import report
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.mutants import choose
from tests.mutations.run import all_mutants, run


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description="Break the models, one small way at a time, and report which breaks dbt's tests notice.",
    )
    parser.add_argument(
        "--count", type=int, default=report.COUNT, help="how many of all mutants, spread over models and kinds"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="same seed, same choice")
    parser.add_argument("--only", metavar="NAMES", default="", help="models or macro files, comma-separated")
    parser.add_argument("--keys", metavar="TEXT", default="", help="mutants whose key contains this")
    parser.add_argument("--kinds", metavar="NAMES", default="", help="kinds of mutants, comma-separated")
    parser.add_argument("--known", action="store_true", help="those of equivalent.py: does any get killed after all?")
    parser.add_argument(
        "--without-unit-tests", action="store_true", help="what do the data tests notice by themselves?"
    )
    options = parser.parse_args()
    settings = sandbox.up()
    servers = Servers({key: value for key, value in settings.items() if key.startswith(("MYSQL_", "PG"))})
    names = [name for name in options.only.split(",") if name]
    mutants = [mutant for mutant in all_mutants() if (not names or mutant.name in names) and options.keys in mutant.key]
    if options.kinds:
        mutants = [mutant for mutant in mutants if mutant.operator in options.kinds.split(",")]
    if options.known:
        mutants = [mutant for mutant in mutants if mutant.key in EQUIVALENT]
    started = time.monotonic()
    verdicts = run(servers, choose(mutants, options.count, options.seed), not options.without_unit_tests)
    print(report.write(verdicts, len(mutants), time.monotonic() - started))
    sandbox.down()


if __name__ == "__main__":
    main()
