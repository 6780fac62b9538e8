"""The list of erased people. Their rows land without the personal data still present in the source.

1. ``python -m privacy erase`` writes the list. The landing only reads it.
2. The list holds no key of a person, only its HMAC-SHA256 under ``ERASURE_KEY``. A reader cannot tell who is on it.
3. The landing hashes the keys of the source and compares them with the list.
"""

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable

from landing.settings import SettingsError

ERASED = "erased"
"""Replaces a text. It is not empty, because later steps may refuse an empty one."""


def subject_hash(key: str, subject: str, value: str) -> str:
    """``subject`` is a kind of person (``customer``), ``value`` the key of one, as text."""
    return hmac.new(key.encode(), f"{subject}:{value}".encode(), hashlib.sha256).hexdigest()


def key_check(key: str) -> str:
    """A mark of the key. It shows whether a list was written under this key."""
    return hmac.new(key.encode(), b"", hashlib.sha256).hexdigest()


@dataclasses.dataclass(frozen=True)
class ErasureRule:
    """For one raw table: the column with the person's key, and the columns emptied for an erased person."""

    subject: str
    subject_column: str
    columns: frozenset[str]


class Suppressions:
    """The list as read by the landing. It is usually empty."""

    def __init__(self, hashes: Iterable[str] = (), rules: dict[str, ErasureRule] | None = None, key: str = "") -> None:
        self._hashes, self._rules, self._key = frozenset(hashes), rules or {}, key

    @staticmethod
    def check(key: str, checks: set[str]) -> None:
        """Raise ``SettingsError`` if the list was written under another key; ``checks`` are the marks in the list."""
        if checks - {key_check(key)}:
            what = "is not the key that" if key else "is not set; with it"
            raise SettingsError(
                f"ERASURE_KEY {what} the people who were erased are recognised: without it they would land again."
                " Nothing was read."
            )

    def rule(self, table: str) -> ErasureRule | None:
        return self._rules.get(table) if self._hashes else None

    def has(self, rule: ErasureRule, value: str) -> bool:
        return subject_hash(self._key, rule.subject, value) in self._hashes
