"""The command line of the roles and of erasure: ``python -m privacy --help``."""

import argparse
import sys

from privacy import erasure, roles

ROLES = """\
Make the warehouse's roles, which is `make roles`.

Connects as PGUSER, a superuser or the owner of PGDATABASE with CREATEROLE. Passwords of the roles that log in with one
come from ROLE_INGEST_PASSWORD, ROLE_TRANSFORM_PASSWORD, ROLE_ANALYST_PASSWORD, ROLE_PII_READER_PASSWORD and
ROLE_SERVICE_EMBEDDED_PASSWORD, the key of masked hashes from MASKING_KEY; or from files that <name>_FILE names."""
ROLES_EXIT = "exit code: 0 done; 1 refused, nothing was changed; 2 wrong usage or settings."
ERASE = """\
Erase the personal data of one person: raw tables, every version in the snapshots, marts, values that could not be cast,
work files, logs, reports and docs. Orders, payments and history stay, bound to the same key. No later landing brings it
back, although the source may still have it. Runs as the owner of the tables (libpq's variables)."""
ERASE_EXIT = """exit code: 0 erased, or nothing was left to erase; 1 erased, but tables that are not this project's may
hold the person; 2 no such person, wrong usage or settings, nothing was changed; 3 the warehouse or a disk is not
available, or a table could not be rewritten: run again."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m privacy", description="Who may read what; one person erased.")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    as_written = argparse.RawDescriptionHelpFormatter
    commands.add_parser(
        "roles", help="make the warehouse's roles", description=ROLES, epilog=ROLES_EXIT, formatter_class=as_written
    )
    erase = commands.add_parser(
        "erase",
        help="erase one person's personal data from warehouse and files",
        description=ERASE,
        epilog=ERASE_EXIT,
        formatter_class=as_written,
    )
    erase.add_argument("subject", help="the kind of person, as in meta.subject of a source column: customer")
    erase.add_argument("key", nargs="?", help="their key: 103")
    erase.add_argument(
        "--again", action="store_true", help="everybody on the list, as columns are classified now; no key is needed"
    )
    erase.add_argument("--dry-run", action="store_true", help="say what would be changed, and change nothing")
    options = parser.parse_args(arguments)
    if options.command == "roles":
        return roles.command()
    if bool(options.key) == options.again:
        erase.error("name the key of one person, or --again for all who were erased before")
    return erasure.command(options.subject, options.key, options.dry_run)


if __name__ == "__main__":
    sys.exit(main())
