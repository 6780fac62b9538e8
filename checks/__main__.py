"""The command line of the checks: ``python -m checks --help``."""

import argparse
import sys
from pathlib import Path

from checks import changed, portability, template

PORTABILITY = """\
Name what Redshift would refuse in the project's SQL. Without a path: models, snapshots and singular tests, as they are
written. Give target/compiled and target/run after a dbt command with --target redshift to read what dbt made of them,
generic tests included."""
PORTABILITY_EXIT = "exit code: 0 nothing found; 1 something; 2 wrong usage, a file is missing or cannot be rendered."
CHANGED = "The linters on the files that differ from a base. Needs no server and no dbt."
CHANGED_EXIT = "exit code: 0 nothing found; 1 findings; 2 wrong usage, no such base, or a linter did not run."
TEMPLATE = """\
Look in infra/template.yml for all that cfn-lint cannot know: whatever is public, open, unencrypted, written down or
allowed too much."""
TEMPLATE_EXIT = "exit code: 0 nothing found; 1 faults; 2 wrong usage, or there is no template."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m checks", description="Checks that need no server.")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    texts = {
        "portability": ("SQL that Redshift would refuse", PORTABILITY, PORTABILITY_EXIT),
        "changed": ("the linters on changed files", CHANGED, CHANGED_EXIT),
        "template": ("the AWS template", TEMPLATE, TEMPLATE_EXIT),
    }
    as_written = argparse.RawDescriptionHelpFormatter
    parsers = {
        name: commands.add_parser(name, help=what, description=about, epilog=exit_codes, formatter_class=as_written)
        for name, (what, about, exit_codes) in texts.items()
    }
    parsers["portability"].add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="an SQL file, or a folder of them"
    )
    parsers["changed"].add_argument("--base", default="main", help="any git ref (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.command == "portability":
        return portability.command(options.paths)
    return changed.command(options.base) if options.command == "changed" else template.command()


if __name__ == "__main__":
    sys.exit(main())
