"""Blocks of keys: the part of a table that is compared by one digest, and loaded where it changed."""

import dataclasses
import math
import re
from collections.abc import Sequence

BLOCK_ROWS = 128
"""Rows that are compared by one digest: fewer make more digests, more make more rows to load where one changed."""
MOST_BLOCKS = 32_768
"""Of one table: beyond four million rows, blocks grow instead, so that the digests take 4 MB at most."""
_ENTRY = re.compile(r"(-?\d+)/(\d+):([0-9a-f]+)")


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A part of a table: rows whose first key column, without its last ``bits`` bits, is one of ``numbers``."""

    bits: int
    numbers: tuple[int, ...]

    @staticmethod
    def bits_for(span: int, rows: int) -> int | None:
        """So many that a block has about ``BLOCK_ROWS`` rows; None where more share one key.

        ``span``: greatest less smallest key, plus one; keys are taken to lie evenly in it.
        """
        wanted, per_key = _rows_of_a_block(rows), rows / span
        if per_key > wanted:
            return None
        return min(62, math.ceil(math.log2(wanted / max(per_key, 1 / span))))  # PostgreSQL shifts by 63 at most

    @staticmethod
    def better_bits(bits: int, blocks: int, rows: int) -> int:
        """The same, unless these blocks turned out far too large, or far too many."""
        wanted, average = _rows_of_a_block(rows), rows / blocks
        if average <= 8 * wanted and (average >= wanted / 4 or blocks <= MOST_BLOCKS / 8):
            return bits
        return max(0, min(62, bits + round(math.log2(wanted / average))))

    @staticmethod
    def entry(bits: int, number: int, digest: str) -> str:
        """How a block's digest is kept: ``<number>/<bits>:<digest>``."""
        return f"{number}/{bits}:{digest}"

    @staticmethod
    def digests_of(entries: Sequence[str]) -> tuple[int, dict[int, str]] | None:
        """Bits and digests by number; None where the entries are not of blocks."""
        found = [_ENTRY.fullmatch(entry) for entry in entries]
        if not entries or not all(found):
            return None
        parts = [match.groups() for match in found if match]
        return int(parts[0][1]), {int(number): digest for number, _, digest in parts}


def _rows_of_a_block(rows: int) -> float:
    return max(BLOCK_ROWS, rows / MOST_BLOCKS)
