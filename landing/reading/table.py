"""The choice between four ways of reading a table."""

import dataclasses

from landing.columns import TablePlan
from landing.parts import WholeTable
from landing.reading import blocks, keys, newer, whole
from landing.reading.context import ReadContext, TableRead


def read_table(context: ReadContext, table: TablePlan) -> TableRead | None:
    """Read a table in one of four ways. None if the warehouse would refuse a text.

    1. ``newer``, for an incremental table: only rows that may have changed.
    2. ``keys``, if the binary log names what changed: nothing, or rows by the first column of their key.
    3. ``blocks``, for a table in the order of a whole number, the first column of its key: by blocks of keys.
    4. ``whole``, for all others.

    Raises:
        TableUnreadable: this table cannot be read; others can.
        SourceUnavailable: the connection was lost.
    """
    if table.change_column:
        return newer.read(context, table, table.change_column)
    named, state = context.named_keys(table), context.compared_state(table)
    if named and not context.warehouse.publishes_blocks or state and context.is_old(state):
        state = None
    if named is not None and state and context.raw_rows_are_there(table, state):
        return keys.read(context, table, state, named)
    read = _read_all(context, table)
    if read and named is not None and isinstance(read.part, WholeTable):
        read = dataclasses.replace(read, part=WholeTable(tuple(named)))
    return read


def _read_all(context: ReadContext, table: TablePlan) -> TableRead | None:
    if (key := table.first_key) and context.warehouse.publishes_blocks:
        bits = blocks.bits_of(context, table, key)
        if bits is not None:
            return blocks.read(context, table, bits)
    return whole.read(context, table)
