"""Run the night, or say how things are: ``python -m operations --help``."""

import argparse
import os
import re
import sys

EXIT = """exit code of night: 0 published; 1 published, and a later step failed (freshness, docs, dashboards);
2 wrong usage or settings; 3 a server, a login, a certificate or a disk; 4 another night is running;
5 a table did not land; 6 the build or a test failed; 7 the publication was refused; 130 or 143 stopped.
After 2 to 7 readers see what they saw before.
exit code of status: 0 fresh; 1 older than --max-age; 2 wrong usage or settings."""
AGE = re.compile(r"(\d+)h")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m operations",
        description="Land, build, test, publish and document every night, and say so when it fails.",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    night = commands.add_parser("night", help="land, build, test, publish, write the pages", epilog=EXIT)
    night.add_argument("--no-land", action="store_true", help="build what is landed already")
    night.add_argument("--full-refresh", action="store_true", help="fill every table anew")
    commands.add_parser("build", help="dbt build in place, if there is something to build")
    commands.add_parser("follow", help="land changes at once, and build the operational marts after them")
    status = commands.add_parser("status", help="fresh or not, what is broken, the last runs", epilog=EXIT)
    status.add_argument("--max-age", type=_hours, metavar="HOURSh", help="alert if the last good run is older: 26h")
    options = parser.parse_args()

    from landing.environment import SettingsError
    from sandbox import home

    try:
        os.environ |= {"DBT_PROFILES_DIR": "profiles"} | home.environment()
        os.chdir(home.PROJECT)
        if options.command == "night":
            from operations.night import Night

            return Night(land=not options.no_land, full_refresh=options.full_refresh).run()
        if options.command == "build":
            from operations.build import build

            return build()
        if options.command == "follow":
            from operations.follow import follow

            return follow()
        from operations.status import check

        return check(options.max_age)
    except (SettingsError, home.SandboxError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _hours(text: str) -> int:
    match = AGE.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text}: hours, such as 26h")
    return int(match[1])


if __name__ == "__main__":
    sys.exit(main())
