"""What the mutants showed, as a page to read and as numbers to assert."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence

from tests.conftest import PROJECT
from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.known import SURVIVORS
from tests.mutations.run import Verdict

COUNT = int(os.environ.get("TEST_MUTANTS", "60"))
REPORT = PROJECT / "reports" / "mutations.md"


def counted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that are queries, and not known to be the same query written differently."""
    return [verdict for verdict in verdicts if verdict.status != "no query" and verdict.mutant.key not in EQUIVALENT]


def killed_share(verdicts: Sequence[Verdict]) -> float:
    decided = counted(verdicts)
    return sum(verdict.status == "killed" for verdict in decided) / len(decided) if decided else 0.0


def write(verdicts: Sequence[Verdict], of_all: int, seconds: float) -> str:
    """Write the page to ``reports/mutations.md``; return its summary."""
    decided = counted(verdicts)
    killed = [verdict for verdict in decided if verdict.status == "killed"]
    equivalent = [verdict for verdict in verdicts if verdict.mutant.key in EQUIVALENT]
    survivors = [verdict for verdict in decided if verdict.status == "survived"]
    killers = Counter(verdict.killer for verdict in killed)
    summary = "\n".join(
        [
            f"{len(decided)} mutants of {of_all} possible ones, {len(killed)} killed ({killed_share(verdicts):.1%}),"
            f" {len(survivors)} survived; {len(equivalent)} more are known to change nothing,"
            f" {sum(verdict.status == 'no query' for verdict in verdicts)} were no queries. {seconds:.0f} seconds.",
            "Killed by " + ", ".join(f"{killer} {count}" for killer, count in killers.most_common()) + ".",
        ]
    )
    lines = ["# Mutants of the models", "", summary, ""]
    lines += [
        "## Survivors",
        "",
        *_rows(survivors, lambda verdict: SURVIVORS.get(verdict.mutant.key, "add a test, or say in known.py why not")),
        "",
    ]
    lines += ["## Known to change nothing", "", *_rows(equivalent, lambda verdict: EQUIVALENT[verdict.mutant.key]), ""]
    for title, key in (("kind", "operator"), ("model", "name")):
        lines += [f"## By {title}", "", f"| {title} | killed | survived |", "| --- | --- | --- |"]
        kinds = Counter((getattr(verdict.mutant, key), verdict.status) for verdict in decided)
        for kind in sorted({kind for kind, _ in kinds}):
            lines.append(f"| {kind} | {kinds[kind, 'killed']} | {kinds[kind, 'survived']} |")
        lines.append("")
    lines += ["## Killed", "", *_rows(killed, lambda verdict: f"{verdict.killer}: {verdict.by}"), ""]
    no_query = [verdict for verdict in verdicts if verdict.status == "no query"]
    lines += ["## No queries", "", *_rows(no_query, lambda verdict: verdict.by), ""]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n".join(lines), encoding="utf-8")
    return summary


def _rows(verdicts: Sequence[Verdict], says: Callable[[Verdict], str]) -> list[str]:
    if not verdicts:
        return ["None."]
    rows = ["| where | kind | line | change | |", "| --- | --- | --- | --- | --- |"]
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.mutant.path, verdict.mutant.line)):
        mutant = verdict.mutant
        change = f"{_short(mutant.before)} → {_short(mutant.after) or 'nothing'}"
        cells = (f"{mutant.path}:{mutant.line}", mutant.operator, _short(mutant.place), change, says(verdict))
        rows.append("| " + " | ".join(" ".join(cell.replace("|", "¦").split()) for cell in cells) + " |")
    return rows


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "..."
