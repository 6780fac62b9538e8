"""Named moments of a landing. A test stops, kills or cuts a landing at one of them; a log may follow them."""

from collections.abc import Callable

STEPS = (
    *("connecting", "locked", "prepared", "snapshot opened", "planned"),
    *("arrivals created", "rows read", "rows written", "file finished", "all read"),
    *("copying file", "file sent", "file copied", "files loaded"),
    *("verifying", "verified", "transaction begun", "publishing", "published", "run recorded", "committing"),
    *("committed", "analyzed", "tidying", "tidied", "closing", "statement done"),
)

watchers: list[Callable[[str, str], None]] = []
"""Each is called with a step of ``STEPS`` and its subject: a table, a file, a statement."""


def reached(step: str, about: object = "") -> None:
    for watcher in watchers:
        watcher(step, str(about))
