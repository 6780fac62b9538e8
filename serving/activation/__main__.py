"""Push segments, scores and flags of customers to the CRM: what changed since the last push, and removals.

CRM_URL         Where it is; https, unless it is on this machine. Without it, the sandbox's own CRM is started.

CRM_TOKEN       Is sent as Authorization: Bearer. CRM_TOKEN_FILE may name a file with it.

CRM_PER_SECOND  At most so many requests a second (20).
"""

import argparse
import contextlib
import os
import sys
import urllib.parse

import psycopg2

from catalog.connection import connect
from landing.environment import SettingsError, is_local, secret
from sandbox import crm as stand_in
from sandbox import home
from serving.activation.push import ActivationError, Crm, CrmAway, push


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.activation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit code: 0 all is in the CRM; 1 rows were refused; 2 wrong usage or settings, nothing was sent;"
        " 3 the CRM or the warehouse is not available: run again.",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    parser.add_argument("--again", action="store_true", help="send refused rows once more")
    parser.add_argument("--allow-removals", action="store_true", help="even of more than half of all customers")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        try:
            url = os.environ.get("CRM_URL") or stack.enter_context(stand_in.running(home.SANDBOX / "crm.sqlite")).url
            address = urllib.parse.urlsplit(url)
            if address.scheme != "https" and not (address.scheme == "http" and is_local(address.hostname or "")):
                raise SettingsError("CRM_URL must be https, unless the CRM is on this machine.")
            if os.environ.get("DBT_TARGET") == "redshift":
                raise SettingsError("The record of what was sent is kept in Postgres; unset DBT_TARGET.")
            crm = Crm(url.rstrip("/"), secret(os.environ, "CRM_TOKEN"), float(os.environ.get("CRM_PER_SECOND") or 20))
            crm.pause = float(os.environ.get("CRM_RETRY_SECONDS") or crm.pause)
            connection = stack.enter_context(contextlib.closing(connect()))
            report = push(
                connection,
                crm,
                dry_run=options.dry_run,
                again=options.again,
                allow_removals=options.allow_removals,
            )
        except CrmAway as error:
            code, report = 3, str(error)
        except (ActivationError, SettingsError, ValueError) as error:
            code, report = 2, str(error)
        except psycopg2.Error as error:
            code, report = 3, f"{str(error).splitlines()[0]}. Is the warehouse there and built (`make run`)?"
        else:
            print(report)
            return 1 if "refused" in report else 0
    print(f"error: {report}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
