"""A failure in words: step, cause, runbook and the readers concerned. It holds no value of a row."""

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_RUNBOOKS = (
    (r"login of user|password authentication failed|password (supplied|of user)|account of user", "wrong-password"),
    (r"certificate|verified TLS|TLS connection", "certificate"),
    (r"disk is full|No space left|File too large|SQLSTATE 53100", "disk-full"),
    (r"profile of the landing:", "unlikely-landing"),
    (r"landed meanwhile", "landed-meanwhile"),
    (r"Another landing", "two-runs-at-once"),
    (r"^MySQL at", "source-down"),
    (r"^(Postgres|Redshift) at|SQLSTATE (08|57P)|connection to server|closed the connection", "warehouse-down"),
)  # fmt: skip
"""By a part of the message; the first match counts."""
WORTH_A_RETRY = ("source-down", "warehouse-down")
OF_SERVERS = ("wrong-password", "certificate", "disk-full", "source-down", "warehouse-down")
_CODES = {"settings": 2, "two-runs-at-once": 4, "land": 5, "build": 6, "publish": 7} | dict.fromkeys(OF_SERVERS, 3)
"""By runbook, else by step."""


@dataclasses.dataclass
class Problem:
    step: str
    runbook: str
    """The heading in ``docs/runbooks.md``, as a link names it."""
    what: str
    names: tuple[str, ...] = ()
    """Tables, tests or models. With the runbook they are the cause: the same cause is the same incident."""
    nodes: tuple[str, ...] = ()
    """Their ids in dbt. Without any, all readers may see old data."""

    @property
    def cause(self) -> str:
        return " ".join((self.runbook, *sorted(self.names)))

    def exit_code(self, published: bool) -> int:
        return 1 if published else _CODES.get(self.runbook) or _CODES[self.step]


def runbook_of(message: str) -> str:
    return next((name for part, name in _RUNBOOKS if re.search(part, message, re.MULTILINE)), "")


def of_landing(code: int, report: dict[str, Any]) -> Problem:
    """The landing's messages hold no value of a row."""
    failed = [table for table in report.get("tables", ()) if table["status"] == "failed"]
    if failed:
        what = "; ".join(f"{table['source_table']}: {table['reason']}" for table in failed)
        is_drift = re.search("its definition changed|the source no longer has it", what)
        runbook = "drift" if is_drift else "a-table-does-not-land"
        return Problem("land", runbook, what, tuple(table["source_table"] for table in failed))
    error = str(report.get("error") or f"the landing ended with {code}")
    return Problem(
        "land", runbook_of(error) or ("settings" if code == 2 else "source-down" if code == 3 else "other"), error
    )


def of_dbt(step: str, results: Iterable[Any], exception: object) -> Problem:
    """The names of failed nodes, SQLSTATE and constraint; of a refusal by the project's macros, its sentence."""
    failed = [result for result in results if result.status in ("error", "fail", "runtime error")]
    said = "\n".join([*(str(result.message) for result in failed), str(exception or "")])
    nodes = tuple(result.node.unique_id for result in failed if result.node.resource_type != "operation")
    names = tuple(result.node.name for result in failed if result.node.resource_type != "operation")
    facts = dict.fromkeys(re.findall(r'SQLSTATE \w+|constraint "\w+"', said))
    detail = f" ({', '.join(facts)})" if facts else ""
    runbook = runbook_of(said)
    if runbook == "unlikely-landing":
        jumps = re.findall(r"profile of the landing: (\S+) ([a-z ]+),", said)
        what = "nothing was built: " + "; ".join(f"{column} {jump}" for column, jump in jumps)
        return Problem(step, runbook, what, tuple(column for column, _ in jumps))
    if step == "freshness" and names:
        hours = [f"{r.node.identifier} landed {r.age / 3600:.0f} hours ago" for r in failed if getattr(r, "age", None)]
        return Problem(step, "late-landing", "; ".join(hours) or f"never landed: {', '.join(names)}", names, nodes)
    if runbook:
        return Problem(step, runbook, f"dbt {step}: {runbook.replace('-', ' ')}{detail}")
    if names:
        tests = all(unique_id.startswith("test.") for unique_id in nodes)
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        kind = ("test" if tests else "model or test") + ("s" if len(names) > 1 else "")
        what = f"{len(names)} {kind} failed: {listed}{detail}"
        return Problem(step, "failing-test" if tests else "failing-model", what, names, nodes)
    sentence = " ".join(re.sub(r"^.*Error.*\n?|\n\s*(>|in macro|called by).*", " ", said, flags=re.MULTILINE).split())
    runbook = "publication-refused" if step == "publish" else "other"
    return Problem(step, runbook, f"dbt {step} was refused: {sentence[:300] or 'see the log'}{detail}")


def readers(manifest: Path, nodes: Iterable[str]) -> list[str]:
    """The exposures downstream of these nodes with their owners, from dbt's manifest; of no node, all."""
    if not manifest.exists():
        return []
    project = json.loads(manifest.read_text(encoding="utf-8"))
    seen: set[str] = set()
    todo = list(nodes)
    for test in [project["nodes"][name] for name in todo if name.startswith("test.")]:
        todo += test["depends_on"]["nodes"]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += project["child_map"].get(name, [])
    found = [node for name, node in project["exposures"].items() if name in seen or not seen]
    return sorted(f"{node['label'] or node['name']} ({node['owner']['name']})" for node in found)
