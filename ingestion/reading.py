"""One table from MySQL into files; what is the same as last time, by its SHA-256, is not loaded.

Where the server's log stands where it stood, the table is not even read.
"""

import datetime
import functools
import hashlib
import re
import uuid
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zlib import crc32

from ingestion.blocks import Blocks
from ingestion.names import quote_mysql
from ingestion.plan import Table
from ingestion.records import State
from ingestion.source import TableUnreadable, Totals, select_list
from ingestion.stage import Chunk

if TYPE_CHECKING:
    from ingestion.landing import Landing

CHUNK_ROWS = 250_000
"""Rows of one file. Files are loaded while MySQL sends the next."""

_WRITTEN_AT_ONCE = 1 << 18
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


def reading_of(landing: "Landing", table: Table) -> "Reading":
    """By blocks where the table has a key that can be cut into them, else as a whole."""
    key, whole = table.first_key, Reading(landing, table)
    if key and landing.warehouse.publishes_blocks and not table.change_column:
        state = landing.states.get(table.name)
        known = Blocks.digests_of(state.digests) if state else None
        if state and known:
            return BlockReading(landing, table, Blocks.better_bits(known[0], len(known[1]), state.row_count), known)
        if whole.stands_still:
            return whole
        bounds = landing.source.bounds(table.source.name, key.source.name)
        rows = state.row_count if state else table.source.estimated_rows
        bits = Blocks.bits_for(bounds[1] - bounds[0] + 1, rows) if bounds else None
        if bits is not None:
            return BlockReading(landing, table, bits, None)
    return whole


class Reading:
    """Reads one table into files of ``CHUNK_ROWS`` rows and hands them over to be loaded.

    A file whose digest is the same as last time, like all files before it, is held back: if that holds to the end,
    nothing has changed and nothing is loaded.
    """

    def __init__(self, landing: "Landing", table: Table, order: str = ""):
        self.landing = landing
        self.table = table
        state, verdict = landing.states.get(table.name), landing.verdicts[table.name]
        settled = not (verdict.is_new or verdict.added or verdict.widened or verdict.breaking)
        settled = settled and not (landing.settings.strict and table.keeps_exceptions)  # its values are looked for
        compared = state if settled and not landing.settings.full_compare else None
        condition = self._newer_rows(compared) if compared and table.change_column else None
        self.partial: bool | Blocks = condition is not None
        """The part of the table that is loaded: see ``Warehouse.publish``."""
        self.state = None if self.partial else compared
        """What the rows are compared with; None to load them whatever they are."""
        self.compared_at = landing.loaded_at
        line = table.line(landing.warehouse.mysql_checksum(table))
        self.select = select_list(landing.settings.database, table.source.name, line, condition) + order
        self.totals = Totals(0, 0)
        """Of the rows that MySQL sent."""
        self.loaded = self.totals
        """Of those that were handed over."""
        self.digests: list[str] = []
        self.unchanged = False
        self.left_out = False
        """Whether it was not read, as nothing was written to the server."""
        self._file: _File | None = None
        self._seed = hashlib.sha256(self.select.encode())
        self._digest = self._seed.copy()
        self._held: list[Chunk] = []
        self._same = self.state is not None
        self._staged = False

    @property
    def new_state(self) -> State:
        """What the next landing compares with, once this one is published."""
        known, position = self.landing.states.get(self.table.name), self.log_position
        confirmed = position is not None and known is not None and known.log_position == position
        return State(self.totals.rows, self.digests, self.compared_at, self.totals.checksum, position, confirmed)

    @property
    def log_position(self) -> str | None:
        """Where the server's log stands and what is asked of which columns; None where that tells nothing."""
        position, source = self.landing.source.position, self.table.source
        if position is None or not source.is_logged:
            return None
        return f"{position} {hashlib.sha256(f'{source.columns} {self.select}'.encode()).hexdigest()[:32]}"

    @property
    def stands_still(self) -> bool:
        """Whether nothing was written to the server since the rows were read, and they would be compared.

        A commit writes its log a moment before others see it: the landing that is the first at a position may miss one
        that was on its way. So the second reads once more, which confirms the position, and the third need not.
        """
        state, position = self.state, self.log_position
        if state is None or position is None or not state.is_confirmed:
            return False
        return state.log_position == position and self._may_be_compared(state)

    def run(self) -> bool:
        """Read to the end; False if a text holds what the warehouse would refuse and nobody looked for."""
        if self.state and self.stands_still:
            self.totals = Totals(self.state.row_count, int(self.state.checksum or 0))
            self.unchanged = self.left_out = True
            return True
        source, clean = self.landing.source, True
        source.reset_totals()
        if self.state is None:
            self._create_staged()  # what cannot be staged fails before it is read
        for rows in source.stream(self.select):
            clean = clean and self._take(rows)
        if not clean:
            if self._file:
                self._file.close()
                self._file.path.unlink()
            return False
        self.totals = self.loaded = source.totals()
        self._end()
        return True

    def _take(self, rows: list[bytes]) -> bool:
        while rows:
            file = self._open_file()
            now, rows = rows[: CHUNK_ROWS - file.rows], rows[CHUNK_ROWS - file.rows :]
            lines = _joined(now)
            self._digest.update(lines)
            file.write(lines, len(now))
            if not _fits(lines):
                return False
            if file.rows == CHUNK_ROWS:
                self._end_file()
        return True

    def _end(self) -> None:
        self._end_file()
        state = self.state if self._same else None
        self.unchanged = state is not None and self.digests == state.digests and self._raw_rows_are_there(state)
        if self.unchanged:
            self.loaded = Totals(0, 0)
            for _, path, _ in self._held:
                path.unlink()
        else:
            self._hand_over()

    def _end_file(self) -> None:
        self.digests.append(self._digest.hexdigest()[:32])
        self._digest = self._seed.copy()
        self._close_file()
        number = len(self.digests)
        self._same = (
            self._same and self.state is not None and self.state.digests[number - 1 : number] == self.digests[-1:]
        )
        if not self._same:
            self._hand_over()

    def _open_file(self) -> "_File":
        if self._file is None:
            self._file = _File(self.landing.folder, self.table)
        return self._file

    def _close_file(self) -> None:
        if self._file:
            self._file.close()
            self._held.append((self.table, self._file.path, self._file.rows))
            self._file = None

    def _hand_over(self) -> None:
        self._create_staged()
        for chunk in self._held:
            self.landing.extracted.put(chunk)
        self._held.clear()

    def _create_staged(self) -> None:
        if not self._staged:
            self.landing.warehouse.create_staged(self.table, self.landing.verdicts[self.table.name])
            self._staged = True

    def _may_be_compared(self, state: State) -> bool:
        return not self._is_old(state) and self._raw_rows_are_there(state)

    def _raw_rows_are_there(self, state: State) -> bool:
        """Whether nobody took rows out of the raw table, or put some in, behind the landing's back."""
        return self._raw_rows == state.row_count

    @functools.cached_property
    def _raw_rows(self) -> int:
        return self.landing.warehouse.row_count(self.table)

    def _newer_rows(self, state: State) -> str | None:
        """MySQL condition for the rows of an incremental table that may have changed; None to read all."""
        settings = self.landing.settings
        if self._is_old(state):
            return None
        newest: Any = self.landing.warehouse.newest(self.table)
        if newest is None or self.table.change_column is None:
            return None
        if isinstance(newest, datetime.date):
            try:
                newest = newest - settings.look_back
            except OverflowError:  # before the year 1
                return None
        if isinstance(newest, datetime.datetime):
            newest = newest.replace(tzinfo=None)
        column = self.table.change_column
        newer = f"{column.in_mysql} >= {self.landing.source.literal(str(newest))}"
        return f"({newer} OR {column.in_mysql} IS NULL)" if column.may_be_empty else newer

    def _is_old(self, state: State) -> bool:
        """Whether it is time to compare the whole table again."""
        landing = self.landing
        return landing.clock_stands or landing.loaded_at - state.compared_at >= landing.settings.full_every


class BlockReading(Reading):
    """Reads a table in the order of its first key column, by blocks of keys, and hands over those that changed.

    What is loaded is only a part of what MySQL counted. So both are held against what was read: MySQL's count and
    checksum against those of all rows here, the warehouse's against those of the rows handed over.
    """

    def __init__(self, landing: "Landing", table: Table, bits: int, known: tuple[int, dict[int, str]] | None):
        key = table.columns[0]
        super().__init__(landing, table, f" ORDER BY {quote_mysql(key.source.name)}")
        self._bits, self._known = bits, known[1] if known else {}
        if self.state and known and known[0] == bits and self._may_be_compared(self.state):
            self.compared_at = self.state.compared_at
        else:
            self.state = None
        self._changed: list[int] = []
        self._read, self._loaded = Totals(0, 0), Totals(0, 0)
        self._block: int | None = None
        self._after = 0
        """The first key of the next block."""
        self._of_block = Totals(0, 0)
        self._lines: list[tuple[bytes, int]] = []
        """Rows of the block and how many they are, until it is known whether it changed."""

    def _take(self, rows: list[bytes]) -> bool:
        at = 0
        while at < len(rows):
            if self._block is None:
                self._begin_block(_first_field(rows[at]) >> self._bits)
            end = bisect_left(rows, self._after, at, key=_first_field)
            part = rows[at:end]
            lines = _joined(part)
            if not _fits(lines):
                return False
            self._digest.update(lines)
            if self.state is None:
                self._load(lines, len(part))
            else:
                self._hold(lines, Totals(len(part), sum(map(crc32, part))))
            at = end
            if at < len(rows):
                self._end_block()
        return True

    def _load(self, lines: bytes, rows: int) -> None:
        file = self._open_file()
        file.write(lines, rows)
        if file.rows >= CHUNK_ROWS:
            self._close_file()
            self._hand_over()

    def _hold(self, lines: bytes, totals: Totals) -> None:
        self._of_block += totals
        self._lines.append((lines, totals.rows))
        if self._of_block.rows > CHUNK_ROWS:  # too many to wait for the block's end
            self._load_block()

    def _load_block(self) -> None:
        for lines, rows in self._lines:
            self._load(lines, rows)
        self._lines.clear()

    def _begin_block(self, number: int) -> None:
        self._block, self._after = number, (number + 1) << self._bits
        self._digest, self._of_block = self._seed.copy(), Totals(0, 0)

    def _end_block(self) -> None:
        if self._block is None:
            return
        digest = self._digest.hexdigest()[:32]
        self.digests.append(Blocks.entry(self._bits, self._block, digest))
        if self.state:
            self._read += self._of_block
            if self._known.pop(self._block, None) != digest or self._of_block.rows > CHUNK_ROWS:
                self._changed.append(self._block)
                self._loaded += self._of_block
                self._load_block()
            self._lines.clear()
        self._block = None

    def _end(self) -> None:
        self._end_block()
        self._close_file()
        if self.state is None:
            self._hand_over()
            return
        if self._read != self.totals:
            raise TableUnreadable(f"MySQL sent {self.totals}, {self._read} were read. Run again.")
        self.loaded = self._loaded
        self._changed += self._known  # of these no row is left
        self.unchanged = not self._changed
        if self._changed:
            self.partial = Blocks(self._bits, tuple(self._changed))
            self._hand_over()


class _File:
    """One CSV file: a header, then lines as MySQL sent them."""

    def __init__(self, folder: Path, table: Table):
        self.path = folder / f"{uuid.uuid4().hex}.csv"
        self.rows = 0
        self._file: BinaryIO = self.path.open("wb", _WRITTEN_AT_ONCE)
        self._file.write((",".join(table.staged_names) + "\n").encode())

    def write(self, lines: bytes, rows: int) -> None:
        self.rows += rows
        self._file.write(lines)

    def close(self) -> None:
        self._file.close()


def _joined(rows: list[bytes]) -> bytes:
    rows.append(b"")
    lines = b"\n".join(rows)
    rows.pop()
    return lines


def _fits(lines: bytes) -> bool:
    """False where a line holds what no PostgreSQL text can: NUL, or a lone surrogate."""
    return b"\0" not in lines and not (b"\xed" in lines and _SURROGATE.search(lines))


def _first_field(row: bytes) -> int:
    return int(row[: row.index(b",")])
