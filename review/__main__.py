"""Review the working tree against a base: ``python -m review --help``."""

import argparse
import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from checks import CheckError, git
from review import FOLDER, ReviewError, build, changes, checkout, document, merge, report, schemas
from review.compare import Comparison
from review.dbt import DbtSide
from sandbox import home

REPORTS = home.PROJECT / "reports"
DESCRIPTION = """\
Build the working tree and a base side by side on the same landing and compare the data, which is `make review`. The
report is written as review.md, for the pull request, and review.html, to browse."""
EXIT = """exit code: 0 done, whether data changed or not; 1 a contract is broken, history is lost, column lineage cannot
read a changed model, a model no longer builds or a test newly fails; 2 wrong usage, or the review could not be made."""


def review(base: str) -> report.Review:
    """Build both sides and compare them.

    Raises:
        ReviewError: the review could not be made. Names the side and the reason.
        CheckError: git refused.
    """
    clock = _Clock()
    commit = git.base_commit(base)
    connection = schemas.connect()
    if not schemas.last_landing(connection):
        connection.close()  # filling the source empties the embedded warehouse
        _land()
        connection = schemas.connect()
    landing = schemas.last_landing(connection)
    if not landing:
        raise ReviewError("Nothing has landed; run `make run` and look at its messages.")
    found = report.Review(base, checkout.describe(commit), landing[1])
    own = os.environ.get("DBT_SCHEMA_PREFIX", "").strip()
    prefixes = [f"{own}_{name}" if own else name for name in ("review_base", "review_head")]
    kept_file = FOLDER / "base.json"
    kept = build.KeptBase.load(kept_file, build.fingerprint(commit, landing[0]))
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(checkout.worktree(commit, FOLDER / "checkout"))
        sides = [DbtSide(files, FOLDER / "base", prefixes[0]), DbtSide(home.PROJECT, FOLDER / "head", prefixes[1])]
        for side in sides:
            stack.callback(side.close)

        with clock.timed("parse"):
            if not kept.is_parsed:
                kept_file.unlink(missing_ok=True)  # it goes with the manifest that is written now
            parsing = [side.parse() for side in sides if side is sides[1] or not kept.is_parsed]
            found.head_error = parsing[-1].result()
            base_error = parsing[0].result() if len(parsing) > 1 else ""
        if base_error:
            raise ReviewError(f"BASE={base} does not parse: {base_error}")
        if found.head_error:
            return found
        found.base, found.head = (side.manifest() for side in sides)
        found.changes = changes.compare(found.base, found.head)
        found.breaks = changes.contract_breaks(found.base, found.head)
        found.lost = merge.lost_history(found.base, found.head)
        plan = build.plan(found.base, found.head, found.changes)

        with clock.timed("build the base"):
            build.build_base(sides[0], found.base, plan, kept, connection)
            kept.save(kept_file)
        found.invented = kept.invented
        with clock.timed("build the head"):
            found.after = build.build_head(sides[1], found.head, plan, sides[0], found.base, connection)
        found.before = {uid: result for uid, result in kept.results.items() if uid in plan.base | plan.base_tests}
        with clock.timed("compare"):
            found.trace_columns(kept.results)
            found.compare(connection, Comparison(connection, found.personal()))
    connection.close()
    found.seconds = clock.seconds
    return found


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def _land() -> None:
    """Land for the first time; the sandbox's own source gets generated data if it has none."""
    print("Nothing has landed yet: landing now.", flush=True)
    commands = [["ingestion", "--quiet"]]
    state = home.read_state()
    if state.get("mysql", {}).get("port") and str(state["mysql"]["port"]) == os.environ.get("MYSQL_PORT"):
        commands = [["sandbox", "load"], *commands] if not state.get("source") else commands
    for words in commands:
        own = {
            key: value
            for key, value in os.environ.items()
            if words[0] != "sandbox" or not key.startswith(("MYSQL_", "PG"))
        }
        if subprocess.run([sys.executable, "-m", *words], cwd=home.PROJECT, env=own, check=False).returncode:
            raise ReviewError(f"python -m {' '.join(words)} failed; the messages above say why.")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One review at a time: the schemas have fixed names."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ReviewError("Another review is running; wait for it.") from None
        yield


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m review",
        description=DESCRIPTION,
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", default="main", help="any git ref (default: %(default)s)")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the reports (default: reports/)")
    options = parser.parse_args(arguments)
    try:
        with _alone():
            found = review(options.base)
    except (ReviewError, CheckError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except psycopg2.Error as error:
        print(f"error: the warehouse failed ({type(error).__name__}, SQLSTATE {error.pgcode}).", file=sys.stderr)
        return 2
    blocks = report.blocks(found)
    options.reports.mkdir(parents=True, exist_ok=True)
    paths = [options.reports / name for name in ("review.md", "review.html")]
    paths[0].write_text(document.markdown(blocks), encoding="utf-8")
    paths[1].write_text(document.page("SQL review", blocks), encoding="utf-8")
    for line in report.verdict(found):
        print(line)
    print("Seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in found.seconds.items()))
    print(f"Report: {os.path.relpath(paths[0])}, {os.path.relpath(paths[1])}")
    return 1 if found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
