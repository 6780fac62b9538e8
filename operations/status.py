"""How things are, from the records of the runs: a page to open from disk, and a screen of a terminal."""

import contextlib
import datetime
import statistics
from pathlib import Path
from typing import Any

import psycopg2
from jinja2 import Environment, FileSystemLoader, select_autoescape

from landing.environment import SettingsError
from landing.warehouse.session import WarehouseUnavailable
from operations import alerts, records
from operations.problems import Problem
from operations.records import Run

PAGE = Path("docs/site/status.html")
MAX_AGE = 26
"""Hours: a day, and the time of a night."""
_SHOWN = 30
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
)


def write() -> None:
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    draft = PAGE.with_name(f".{PAGE.name}")
    draft.write_text(_TEMPLATES.get_template("status.html").render(_facts()), encoding="utf-8")
    draft.replace(PAGE)


def check(max_age: int | None) -> int:
    """Print how things are; with an age, alert if the last good run is older. The exit code."""
    killed: list[Run] = []
    if max_age is not None:
        with contextlib.suppress(records.AnotherNight), records.alone(0):
            killed = records.killed()
    facts = _facts(max_age or MAX_AGE)
    print(_TEMPLATES.get_template("status.txt").render(facts))
    if max_age is None:
        return 0 if facts["fresh"] else 1
    ended = facts["last"].ended_at if facts["last"] else ""
    # a machine without nights asks the warehouse
    with contextlib.suppress(SettingsError, WarehouseUnavailable, psycopg2.Error):
        ended = ended or records.last_published_of_the_warehouse(records.settings())
    fresh = bool(ended) and _hours_since(ended) <= max_age
    problems = [
        Problem("end", "killed-run", f"the run of {alerts.minute(run.started_at)} was killed") for run in killed
    ]
    if not fresh:
        when = f"the last good one ended {alerts.minute(ended)}" if ended else "none is known"
        problems.append(Problem("published", "no-run", f"no night published within {max_age} hours: {when}"))
    alerts.tell(problems, {"published"} if fresh else set(), None)
    if killed or not fresh:
        write()
    return 0 if fresh else 1


def _facts(max_age: int = MAX_AGE) -> dict[str, Any]:
    runs = [run for run in records.runs() if run.status != "refused"]
    last = records.last_published()
    built = next((run for run in runs if run.tests), None)
    found = alerts.incidents()
    good = [run.seconds for run in runs[:_SHOWN] if run.status == "published"]
    return {
        "now": records.now(),
        "max_age": max_age,
        "last": last,
        "fresh": last and _hours_since(last.ended_at) <= max_age,
        "hours": last and _hours_since(last.ended_at),
        "open": [incident for incident in found if not incident.get("until")],
        "over": [incident for incident in found if incident.get("until")][:10],
        "runs": runs[:_SHOWN],
        "longest": max((run.seconds for run in runs[:_SHOWN]), default=0) or 1,
        "trend": f"The last took {good[0]} s, the median is {statistics.median(good):.1f} s." if good else "",
        "slowest": sorted(built.models, key=lambda model: -model["seconds"])[:5] if built else [],
        "built": built,
        "minute": alerts.minute,
        "link": alerts.link,
    }


def _hours_since(moment: str) -> float:
    when = datetime.datetime.fromisoformat(moment)
    return (datetime.datetime.now(datetime.timezone.utc) - when).total_seconds() / 3600
