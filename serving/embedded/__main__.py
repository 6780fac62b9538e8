"""Serve customers' pages on 127.0.0.1, and print a link to the named customer's page.

EMBEDDED_KEY       Signs the links. Without it, a key lives as long as this process.

EMBEDDED_PASSWORD  The password of service_embedded on PGHOST. The sandbox knows its own.

EMBEDDED_PARENT    The site allowed to frame the pages, such as https://shop.example. Without it, none is.
"""

import argparse
import os
import secrets
import sys
from typing import Any

import psycopg2

from sandbox import home, postgres


def connect() -> Any:
    password = os.environ.get("EMBEDDED_PASSWORD") or postgres.login("service_embedded")["PGPASSWORD"]
    return psycopg2.connect("", user="service_embedded", password=password, options="-c search_path=marts")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.embedded",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit code: 1 the warehouse does not let service_embedded in, or the port is taken; 2 wrong usage.",
    )
    parser.add_argument("customer", nargs="?", type=int, help="the number of a customer to print a link for")
    parser.add_argument("--minutes", type=float, default=60, help="how long a link works (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8085, help="of 127.0.0.1 (default: %(default)s)")
    options = parser.parse_args()
    import waitress  # of a virtual environment of its own: --help needs none

    from serving.embedded.app import link, make

    key = os.environ.get("EMBEDDED_KEY") or secrets.token_hex(32)
    try:
        connect().close()
    except (home.SandboxError, psycopg2.Error) as error:
        print(f"error: service_embedded: {str(error).strip()} Set EMBEDDED_PASSWORD.", file=sys.stderr)
        return 1
    if options.customer is not None:
        print(f"http://127.0.0.1:{options.port}{link(key, options.customer, options.minutes)}", flush=True)
    else:
        print(f"Serving on 127.0.0.1:{options.port}; name a customer for a link: CUSTOMER=103.", flush=True)
    app = make(key, connect, os.environ.get("EMBEDDED_PARENT") or "'none'")
    try:
        waitress.serve(app, host="127.0.0.1", port=options.port, threads=4, ident=None)
    except OSError as error:
        print(f"error: port {options.port}: {error.strerror}. Another: ARGS='--port 8086'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
