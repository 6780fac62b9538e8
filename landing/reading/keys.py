"""The rows of the keys that MySQL's binary log names. All other rows are those of the last landing."""

import dataclasses
from collections.abc import Set

from landing.columns import RowSum, TablePlan
from landing.parts import Blocks
from landing.reading.blocks import digests_of, entry
from landing.reading.context import ReadContext, TableRead
from landing.reading.writer import FileWriter, fits, joined
from landing.records import TableState
from landing.steps import reached

_AT_ONCE = 5_000
"""Keys of one SELECT. MySQL reads the whole table for some ten thousands."""


def read(context: ReadContext, table: TablePlan, state: TableState, keys: Set[int]) -> TableRead | None:
    """Read the rows with these values of the first key column. None as ``whole.read``.

    Nothing is read without keys. The digests of the blocks that hold the keys no longer count.
    """
    source, files, total, clean = context.source, FileWriter(context, table), RowSum(0, 0), True
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        condition = source.has_key(table.columns[0], ordered[start : start + _AT_ONCE])
        source.reset_sum()
        for rows in source.stream(source.select(table, context.warehouse.line_format, condition)):
            reached("rows read", table.name)
            lines = joined(rows)
            clean = clean and fits(lines)
            if clean:
                files.write(lines, len(rows))
                if files.rows >= context.settings.chunk_rows:
                    files.finish()
        total += source.row_sum()
    if not clean:
        files.discard()
        return None
    files.finish()
    if keys:
        files.hand_over()
    return TableRead(Blocks(0, tuple(ordered)), None, total, not keys, _without(state, keys))


def _without(state: TableState, keys: Set[int]) -> TableState:
    """The state without the digests of these keys' blocks. The blocks stay: their number tells their size."""
    known = digests_of(state.digests)
    if not known or not keys:
        return state if not keys else dataclasses.replace(state, digests=[])
    bits, digests = known
    digests |= {key >> bits: "0" for key in keys}
    return dataclasses.replace(state, digests=[entry(bits, number, digest) for number, digest in digests.items()])
