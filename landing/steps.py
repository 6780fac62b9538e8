"""Named moments of a landing, told to whoever asks: where a test stops, kills or cuts, and what a log may follow."""

from collections.abc import Callable

STEPS = (
    *("connecting", "locked", "prepared", "snapshot opened", "planned"),
    *("arrivals created", "rows read", "rows written", "file finished", "all read"),
    *("copying file", "file sent", "file copied", "files loaded"),
    *("verifying", "verified", "transaction begun", "publishing", "published", "run recorded", "committing"),
    *("committed", "analyzed", "tidying", "tidied", "closing", "statement done"),
)

watchers: list[Callable[[str, str], None]] = []
"""Each is called with a step of ``STEPS`` and what it is about: a table, a file, a statement."""


def reached(step: str, about: object = "") -> None:
    for watcher in watchers:
        watcher(step, str(about))
