"""Write the dashboards, as ROLE reads the marts (analyst: masked)."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from sandbox.home import SandboxError
from serving.dashboards import warehouse
from serving.dashboards.pages import NAMES, PAGES, QUERIES, Page
from serving.dashboards.warehouse import Marts, Records
from serving.dashboards.words import day

HERE = Path(__file__).resolve().parent
FOLDER = Path("docs/site/dashboards")
SECONDS_BETWEEN_LOOKS = 60
EXPLORE = Path(os.environ.get("EXPLORE_PYTHON") or ".venv-explore/bin/python")


def write(folder: Path, role: str, minutes: float, look: float, names: Sequence[str]) -> Path:
    """Write these pages into ``folder``, each as a whole or not at all; returns the first one."""
    drawing = _drawings() if "explore" in names else None
    queries = list(dict.fromkeys(query for name in names for query in QUERIES[name]))
    marts, records = warehouse.read(role, queries), warehouse.records()
    shell = Environment(loader=FileSystemLoader(HERE), autoescape=True).get_template("page.html")
    scripts = {name: (HERE / f"{name}.js").read_text("utf-8") for name in ("draw", "overview", "explore", "page")}
    contents = {}
    for name in names:
        page = PAGES[name](marts)
        if "watch" in page:
            page["watch"] |= {"minutes": minutes, "lookEvery": look}
            page["watch"]["landed"] = records.landed_at.isoformat() if records.landed_at else ""
        own = scripts.get(name, "")
        if drawing and name == "explore":
            said = drawing.communicate()[0]
            if drawing.returncode:
                raise LookupError(
                    "Explore cannot be drawn: `rm -r .venv-explore; make explore` installs its library anew"
                )
            drawn = json.loads(said)
            page["specs"], own = drawn["specs"], f"(() => {{ {drawn['library']} }})();\n{own}"
        page["sql"] = {query: marts.sql[query] for query in QUERIES[name]}
        contents[name] = shell.render(
            name=name,
            names={known: NAMES[known] for known in NAMES if known != "explore" or EXPLORE.exists()},
            page=page,
            stamp=_stamp(marts, records),
            style=Markup((HERE / "dashboards.css").read_text("utf-8")),  # noqa: S704
            json=_json(page),
            script=Markup(scripts["draw"] + own + scripts["page"]),  # noqa: S704
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        draft = folder / f".{name}.html"
        draft.write_text(content, "utf-8")
        draft.replace(folder / f"{name}.html")
    return folder / f"{names[0]}.html"


def _drawings() -> "subprocess.Popen[str]":
    """Altair lives in an environment of its own, and takes as long as the queries: both run at once."""
    command = [str(EXPLORE), "-m", "serving.dashboards.explore"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")


def _json(page: Page) -> Markup:
    """In a script element nothing but ``</`` ends it."""
    text = json.dumps(page, ensure_ascii=False, separators=(",", ":"), default=str)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _stamp(marts: Marts, records: Records) -> dict[str, object]:
    when = records.landed_at
    verdict = (
        Markup('<a class="less" href="../quality.html">{} of {} tests failed</a>').format(records.failed, records.tests)
        if records.failed
        else Markup('<span class="good">all {} tests passed</span>').format(records.tests)
        if records.tests
        else "no test has run"
    )  # fmt: skip
    return {
        "day": day(marts.data_day),
        "landed": f"landed {when.day} {when:%b %Y, %H:%M} UTC" if when else "no landing is recorded",
        "verdict": verdict,
        "role": marts.role,
        "masked": "names are shown: hand it on to nobody who may not see them."
        if marts.shows_names
        else "names are masked, so customers appear by number.",
        "run": records.run_id[:8],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.dashboards",
        description=__doc__,
        epilog="exit code: 0 written; 1 the marts cannot be read, the pages stay as they were; 2 wrong usage.",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help=f"of the pages (default: {FOLDER})")
    parser.add_argument(
        "--minutes",
        type=float,
        default=1440,
        help="between two landings; older figures turn grey (default: %(default)s)",
    )
    parser.add_argument(
        "--follow",
        type=float,
        metavar="SECONDS",
        help="write Live anew so often, until you press Ctrl+C; it reloads itself",
    )
    options = parser.parse_args()
    role, started = os.environ.get("ROLE") or "analyst", time.monotonic()
    names = [name for name in PAGES if name != "explore" or EXPLORE.exists()]
    look = options.follow or SECONDS_BETWEEN_LOOKS
    try:
        first = write(options.folder, role, options.minutes, look, names)
    except (SandboxError, psycopg2.Error, LookupError) as error:
        print(f"error: the dashboards were left as they were: {str(error).strip()}", file=sys.stderr)
        return 1
    print(f"The dashboards are in {first}, made in {time.monotonic() - started:.1f} s.", flush=True)
    if "explore" not in names:
        print("Explore is left out: `make explore` installs the library that draws it.", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background had it ignored
        signal.signal(number, signal.default_int_handler)
    while options.follow:
        try:
            time.sleep(look)
            write(options.folder, role, options.minutes, look, ["live"])
        except (
            psycopg2.Error,
            LookupError,
        ) as error:  # a build is under way, or the warehouse is: the page shows its age
            print(f"warning: Live was left as it was: {str(error).strip()}", file=sys.stderr)
        except KeyboardInterrupt:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
