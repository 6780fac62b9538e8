"""Send to the CRM what changed since the last push.

1. The work is the difference between ``fct_customer_segments`` and ``activation.customers``. Who has no row any more,
   such as an erased person, is removed.
2. All of it is written down as about to be sent, each change with an idempotency key, before any is sent.
3. Each change is sent until the CRM answers, always under its key, and the answer is written down. A killed run leaves
   what was not answered. The next one sends it again under the same key, or under a new one if it has changed since.
4. A refused change is kept with its reason, and sent again only if it changes, or if somebody asks for it.
"""

import dataclasses
import datetime
import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

from serving.activation.state import TABLES

_WANTED = """
    select
        customer_number, _loaded_at, segment, value_score, is_over_limit, overdue_amount > 0 as is_overdue,
        cast(round(repurchase_probability, 2) as float) as repurchase_probability
    from marts.fct_customer_segments where is_latest order by customer_number"""
_LOCK = 7_309_115


class ActivationError(Exception):
    """What is wrong, and the remedy. What was answered before is written down."""


class CrmAway(ActivationError):
    """The CRM does not answer; the next run goes on."""


@dataclasses.dataclass
class Change:
    customer_number: int
    before: str | None
    fields: str | None
    """None: the customer is removed."""
    key: str
    loaded_at: datetime.datetime | None


@dataclasses.dataclass
class Crm:
    url: str
    token: str = ""
    per_second: float = 20
    tries: int = 6
    pause: float = 0.5
    """Seconds before the second try; twice as long before each further one."""
    timeout: float = 30
    _next: float = 0

    def send(self, change: Change) -> int:
        """The status of the answer. Raises ``CrmAway``."""
        method = "DELETE" if change.fields is None else "PUT"
        headers = {"Idempotency-Key": change.key, "Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = None if change.fields is None else change.fields.encode()
        address, said = f"{self.url}/customers/{change.customer_number}", ""
        for attempt in range(self.tries):
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next, pause = time.monotonic() + 1 / self.per_second, self.pause * 2**attempt
            try:
                request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in (401, 403):
                    raise CrmAway(f"The CRM refuses the login (HTTP {error.code}): see CRM_TOKEN.") from None
                if error.code not in (408, 429) and error.code < 500:
                    return error.code
                said, wait = f"HTTP {error.code}", error.headers.get("Retry-After") or ""
                pause = min(float(wait), 60) if wait.isdecimal() else pause
            except (OSError, http.client.HTTPException) as error:
                said = type(error).__name__
            self._next = max(self._next, time.monotonic() + pause)
        raise CrmAway(f"The CRM at {self.url} gave no answer in {self.tries} tries ({said}). The next run goes on.")


def push(connection: Any, crm: Crm, *, dry_run: bool = False, again: bool = False, allow_removals: bool = False) -> str:
    """Returns a report; ``again`` sends refused changes once more.

    Raises:
        ActivationError: another push is under way, or more than half of all customers would be removed.
        CrmAway: the CRM does not answer, or refuses the login.
    """
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise ActivationError("Another push is under way.")
        cursor.execute(TABLES)
        changes, known = differences(cursor, again)
        removals = sum(change.fields is None for change in changes)
        if removals > max(10, known // 2) and not allow_removals and not dry_run:
            raise ActivationError(
                f"{removals} of {known} customers would be removed from the CRM. If that is right: --allow-removals."
            )
        if dry_run:
            return _table(changes)
        _intend(cursor, changes)
        refused = [change for change in changes if not _deliver(cursor, crm, change)]
        cursor.execute("select reason, count(*) from activation.rejects group by reason order by reason")
        lines = [f"{len(changes) - len(refused)} changes are in the CRM, {removals} removals among them."]
        lines += [f"refused, in activation.rejects: {count} rows, {reason}" for reason, count in cursor.fetchall()]
        return "\n".join(lines)


def differences(cursor: Any, again: bool) -> tuple[list[Change], int]:
    """The changes, removals first, and how many customers the CRM has."""
    cursor.execute(_WANTED)
    names = [column.name for column in cursor.description][2:]
    wanted = {
        number: (loaded_at, json.dumps(dict(zip(names, values, strict=True)), sort_keys=True))
        for number, loaded_at, *values in cursor
    }
    cursor.execute("select customer_number, fields, idempotency_key, state from activation.customers")
    sent = {number: rest for number, *rest in cursor}
    changes = []
    for number in sorted({*wanted, *sent}, key=lambda number: (number in wanted, number)):
        loaded_at, fields = wanted.get(number, (None, None))
        before, key, state = sent.get(number, (None, "", "done"))
        is_open = state == "sending" or (state == "refused" and again)
        if fields != before or is_open:
            key = key if fields == before and state == "sending" else str(uuid.uuid4())
            changes.append(Change(number, before, fields, key, loaded_at))
    return changes, sum(fields is not None for fields, _, _ in sent.values())


def _intend(cursor: Any, changes: list[Change]) -> None:
    cursor.execute("begin")
    for change in changes:
        cursor.execute(
            "insert into activation.customers values (%s, %s, %s, 'sending', null, %s)"
            " on conflict (customer_number) do update set fields = excluded.fields,"
            " idempotency_key = excluded.idempotency_key, state = 'sending', reason = null,"
            " loaded_at = excluded.loaded_at, changed_at = now()",
            (change.customer_number, change.fields, change.key, change.loaded_at),
        )
    cursor.execute("commit")


def _deliver(cursor: Any, crm: Crm, change: Change) -> bool:
    """Whether the CRM took it."""
    status = crm.send(change)
    done = status < 300 or (status == 404 and change.fields is None)
    action = "remove" if change.fields is None else "put"
    cursor.execute("begin")
    cursor.execute(
        "update activation.customers set state = %s, reason = %s, changed_at = now() where customer_number = %s",
        ("done" if done else "refused", None if done else f"{action}: HTTP {status}", change.customer_number),
    )
    cursor.execute(
        "insert into activation.audit (customer_number, action, fields, idempotency_key, status, loaded_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        (change.customer_number, action, change.fields, change.key, status, change.loaded_at),
    )
    if done and change.fields is None:
        cursor.execute(
            "update activation.audit set fields = null where customer_number = %s", (change.customer_number,)
        )
    cursor.execute("commit")
    return done


def _table(changes: list[Change]) -> str:
    """The first changes, field by field, and how many there are."""
    lines = []
    for change in changes[:20]:
        before, after = (json.loads(fields or "{}") for fields in (change.before, change.fields))
        differ = [
            f"{name} {before.get(name, '-')} -> {new}" for name, new in after.items() if before.get(name, "-") != new
        ]
        lines.append(f"{change.customer_number:>9}  {', '.join(differ) or ('again' if after else 'removed')}")
    removals = sum(change.fields is None for change in changes)
    return "\n".join([*lines, f"{len(changes)} changes, {removals} removals among them. Nothing was sent."])
