"""A table's rows in the order of its first key column, by blocks of keys. Only changed blocks are loaded.

The loaded rows are only a part of the rows counted by MySQL. So there are two comparisons of count and checksum:

1. MySQL's with those of all rows read here.
2. The warehouse's with those of the rows handed over.
"""

import datetime
import hashlib
import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from zlib import crc32

from landing.columns import ColumnPlan, RowSum, TablePlan
from landing.mysql.connection import TableUnreadable
from landing.parts import Blocks, WholeTable
from landing.reading.context import ReadContext, TableRead
from landing.reading.writer import FileWriter, fits, joined
from landing.records import TableState
from landing.steps import reached

BLOCK_ROWS = 128
"""Rows compared by one digest. Fewer rows make more digests. More rows make a changed row costlier to load."""
MOST_BLOCKS = 32_768
"""Of one table. Beyond four million rows, blocks grow instead. So the digests take at most 4 MB."""
_ENTRY = re.compile(r"(-?\d+)/(\d+):([0-9a-f]+)")


def bits_of(context: ReadContext, table: TablePlan, key: ColumnPlan) -> int | None:
    """How many bits of a key its block leaves out; None if blocks are of no use. Asks MySQL at the first landing."""
    state = context.states.get(table.name)
    if state and (known := digests_of(state.digests)):
        return better_bits(known[0], len(known[1]), state.row_count)
    bounds = context.source.bounds(table, key)
    rows = state.row_count if state else table.source.estimated_rows
    return bits_for(bounds[1] - bounds[0] + 1, rows) if bounds else None


def read(context: ReadContext, table: TablePlan, bits: int) -> TableRead | None:
    """Read all rows and hand over the blocks with another digest than last time. None as ``whole.read``."""
    state, earlier = context.compared_state(table), context.states.get(table.name)
    known = digests_of(earlier.digests) if earlier else None
    comparable = state and not context.is_old(state) and context.raw_rows_are_there(table, state)
    if state and comparable and known and known[0] == bits:
        return _BlockReader(context, table, bits, known[1]).read(state.compared_at)
    return _BlockReader(context, table, bits, None).read(context.loaded_at)


class _BlockReader:
    def __init__(self, context: ReadContext, table: TablePlan, bits: int, known: dict[int, str] | None):
        """``known`` are the earlier digests, by block; None to load everything."""
        self._context, self._table, self._bits = context, table, bits
        self._compares, self._known = known is not None, dict(known or {})
        self._files = FileWriter(context, table)
        self._most = context.settings.chunk_rows
        self._select = context.source.select(table, context.warehouse.line_format, in_key_order=True)
        self._seed = hashlib.sha256(self._select.encode())
        self._digest = self._seed.copy()
        self._digests: list[str] = []
        self._changed: list[int] = []
        self._read, self._loaded = RowSum(0, 0), RowSum(0, 0)
        self._block: int | None = None
        self._after = 0
        """The first key of the next block."""
        self._of_block = RowSum(0, 0)
        self._lines: list[tuple[bytes, int]] = []
        """Rows of the block with their number, held until it is known whether the block changed."""

    def read(self, compared_at: datetime.datetime) -> TableRead | None:
        """Read everything. None if the warehouse would refuse a text."""
        source, clean = self._context.source, True
        source.reset_sum()
        if not self._compares:
            self._files.create_arrivals()  # a table that cannot arrive fails before it is read
        for rows in source.stream(self._select):
            reached("rows read", self._table.name)
            clean = clean and self._take(rows)
        if not clean:
            self._files.discard()
            return None
        total = source.row_sum()
        self._end_block()
        self._files.finish()
        state = TableState(total.rows, self._digests, compared_at)
        if not self._compares:
            self._files.hand_over()
            return TableRead(WholeTable(), total, total, False, state)
        if self._read != total:
            raise TableUnreadable(f"MySQL sent {total}, {self._read} were read. Run again.")
        self._changed += self._known  # no row is left in these
        if self._changed:
            self._files.hand_over()
        part = Blocks(self._bits, tuple(self._changed)) if self._changed else WholeTable()
        return TableRead(part, total, self._loaded, not self._changed, state)

    def _take(self, rows: list[bytes]) -> bool:
        at = 0
        while at < len(rows):
            if self._block is None:
                self._begin_block(_first_field(rows[at]) >> self._bits)
            end = bisect_left(rows, self._after, at, key=_first_field)
            part = rows[at:end]
            lines = joined(part)
            if not fits(lines):
                return False
            self._digest.update(lines)
            if self._compares:
                self._hold(lines, RowSum(len(part), sum(map(crc32, part))))
            else:
                self._load(lines, len(part))
            at = end
            if at < len(rows):
                self._end_block()
        return True

    def _load(self, lines: bytes, rows: int) -> None:
        self._files.write(lines, rows)
        if self._files.rows >= self._most:
            self._files.finish()
            self._files.hand_over()

    def _hold(self, lines: bytes, total: RowSum) -> None:
        self._of_block += total
        self._lines.append((lines, total.rows))
        if self._of_block.rows > self._most:  # too many to wait for the block's end
            self._load_block()

    def _load_block(self) -> None:
        for lines, rows in self._lines:
            self._load(lines, rows)
        self._lines.clear()

    def _begin_block(self, number: int) -> None:
        self._block, self._after = number, (number + 1) << self._bits
        self._digest, self._of_block = self._seed.copy(), RowSum(0, 0)

    def _end_block(self) -> None:
        if self._block is None:
            return
        digest = self._digest.hexdigest()[:32]
        self._digests.append(entry(self._bits, self._block, digest))
        if self._compares:
            self._read += self._of_block
            if self._known.pop(self._block, None) != digest or self._of_block.rows > self._most:
                self._changed.append(self._block)
                self._loaded += self._of_block
                self._load_block()
            self._lines.clear()
        self._block = None


def bits_for(span: int, rows: int) -> int | None:
    """Bits for blocks of about ``BLOCK_ROWS`` rows; None if more rows share one key.

    ``span`` is the greatest key less the smallest, plus one. Keys are assumed to lie evenly in it.
    """
    wanted, per_key = _rows_of_a_block(rows), rows / span
    if per_key > wanted:
        return None
    return min(62, math.ceil(math.log2(wanted / max(per_key, 1 / span))))  # PostgreSQL shifts by 63 at most


def better_bits(bits: int, blocks: int, rows: int) -> int:
    """The same bits, unless these blocks are far too large or far too many."""
    wanted, average = _rows_of_a_block(rows), rows / blocks
    if average <= 8 * wanted and (average >= wanted / 4 or blocks <= MOST_BLOCKS / 8):
        return bits
    return max(0, min(62, bits + round(math.log2(wanted / average))))


def entry(bits: int, number: int, digest: str) -> str:
    """A block's digest in the records: ``<number>/<bits>:<digest>``."""
    return f"{number}/{bits}:{digest}"


def digests_of(entries: Sequence[str]) -> tuple[int, dict[int, str]] | None:
    """Bits, and digests by block number; None if the entries are not of blocks."""
    found = [_ENTRY.fullmatch(entry) for entry in entries]
    if not entries or not all(found):
        return None
    parts = [match.groups() for match in found if match]
    return int(parts[0][1]), {int(number): digest for number, _, digest in parts}


def _rows_of_a_block(rows: int) -> float:
    return max(BLOCK_ROWS, rows / MOST_BLOCKS)


def _first_field(row: bytes) -> int:
    return int(row[: row.index(b",")])
