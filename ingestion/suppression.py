"""People who were erased, and whose personal data the source still has: their rows land without it.

The list holds no key of a person, only its HMAC-SHA256 under ``ERASURE_KEY``: who reads it cannot tell who is on it,
and the landing finds them among the keys of the source. ``python -m privacy erase`` writes it, the landing only reads.
"""

import dataclasses
import hashlib
import hmac
import re
from collections.abc import Iterable

from ingestion.settings import SettingsError
from ingestion.types import SIZED_TEXTS

ERASED = "erased"
"""What a text becomes; it may be one that nothing downstream takes empty."""


def erased_value(source_type: str) -> str | None:
    """What stands in the raw table for a value of this MySQL type: a word for a text, NULL for all else."""
    return ERASED if re.split(r"[ (]", source_type.lower())[0] in SIZED_TEXTS else None


def subject_hash(key: str, subject: str, value: str) -> str:
    """``subject`` is a kind of person (``customer``), ``value`` the key of one, as text."""
    return hmac.new(key.encode(), f"{subject}:{value}".encode(), hashlib.sha256).hexdigest()


def key_check(key: str) -> str:
    """What tells whether a list was written under this key."""
    return hmac.new(key.encode(), b"", hashlib.sha256).hexdigest()


@dataclasses.dataclass(frozen=True)
class Rule:
    """Of one raw table: the column that says whose a row is, and those that an erased person's row loses."""

    subject: str
    subject_column: str
    columns: frozenset[str]


class Suppressions:
    """The list as the landing finds it; empty for most."""

    def __init__(self, hashes: Iterable[str] = (), rules: dict[str, Rule] | None = None, key: str = "") -> None:
        self._hashes, self._rules, self._key = frozenset(hashes), rules or {}, key

    @staticmethod
    def check(key: str, checks: set[str]) -> None:
        """Raise ``SettingsError`` where ``key`` is not the one the list was written under (``checks``)."""
        if checks - {key_check(key)}:
            what = "is not the key that" if key else "is not set; with it"
            raise SettingsError(
                f"ERASURE_KEY {what} the people who were erased are recognised: without it they would land again."
                " Nothing was read."
            )

    def rule(self, table: str) -> Rule | None:
        return self._rules.get(table) if self._hashes else None

    def has(self, rule: Rule, value: str) -> bool:
        return subject_hash(self._key, rule.subject, value) in self._hashes
