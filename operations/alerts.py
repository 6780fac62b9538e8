"""Incidents, in ``logs/night/incidents.json``: one alert when a cause is new, one word when its step passes again."""

import json
import logging
import math
import os
import socket
import sys
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any, TextIO

from landing.environment import secret
from operations import records
from operations.problems import Problem, readers

MANIFEST = Path("target/night/manifest.json")
Incident = dict[str, Any]


def incidents() -> list[Incident]:
    """The latest first; a closed one has ``until``."""
    file = records.FOLDER / "incidents.json"
    found: list[Incident] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return found


def tell(problems: Sequence[Problem], passed: Set[str], log: Path | None, console: TextIO = sys.stderr) -> None:
    """Open an incident for each new problem, and close those with a passed step. An alert not taken is sent again."""
    with records.alone(math.inf, "incidents.lock"):  # two nights may have something to say
        known = incidents()
        open_ones = {incident["cause"]: incident for incident in known if not incident.get("until")}
        for problem in problems:
            incident = open_ones.get(problem.cause)
            if incident is None:
                incident = {"cause": problem.cause, "step": problem.step, "since": records.now(), "what": problem.what}
                incident |= {"runbook": problem.runbook, "told": False}
                known.insert(0, incident)
            if not incident["told"]:
                incident["told"] = _send(f"night: {problem.runbook.replace('-', ' ')}", _alert(problem, log), console)
        causes = {problem.cause for problem in problems}
        for cause, incident in open_ones.items():
            if incident["step"] in passed and cause not in causes:
                words = f"It is over: {incident['what']}\nIt began {minute(incident['since'])}."
                if _send(f"night: over: {incident['runbook'].replace('-', ' ')}", words, console):
                    incident["until"] = records.now()
        records.write(records.FOLDER / "incidents.json", known[:100])


def minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def link(runbook: str) -> str:
    return f"{os.environ.get('RUNBOOKS_URL') or 'docs/runbooks.md'}#{runbook}"


def _alert(problem: Problem, log: Path | None) -> str:
    last = records.last_published()
    old = f"readers see the landing of {minute(last.landed_at)}" if last else "nothing was ever published from here"
    concerned = readers(MANIFEST, problem.nodes)
    return "\n".join(
        (
            f"What: {problem.what}",
            f"Data: {old}.",
            f"For whom: {'; '.join(concerned) or 'not known: dbt has not read the project yet'}.",
            f"First: {link(problem.runbook)}",
            f"Log: {f'{socket.gethostname()}:{log.absolute()}' if log else 'none'}",
        )
    )


def _send(title: str, body: str, console: TextIO) -> bool:
    """Whether every receiver took it. Without ``ALERT_URLS`` it is printed and counts as taken."""
    urls = secret(os.environ, "ALERT_URLS").strip()
    if urls:
        import apprise  # late: it is needed on bad nights only

        logging.getLogger("apprise").disabled = True  # its messages quote addresses
        sender = apprise.Apprise()
        if sender.add(urls) and sender.notify(body=body, title=title, body_format="text"):
            return True
        print("error: the alert was not taken by all that ALERT_URLS names. It is:", file=console)
    print(f"{title}\n{body}", file=console, flush=True)
    return not urls
