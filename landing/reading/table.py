"""Which way of reading suits a table: as a whole, by blocks of keys, or the rows that may have changed."""

from landing.columns import TablePlan
from landing.reading import blocks, newer, whole
from landing.reading.context import ReadContext, TableRead


def read_table(context: ReadContext, table: TablePlan) -> TableRead | None:
    """Read a table in the way that suits it; None if a text holds what the warehouse would refuse.

    1. ``newer``: an incremental table.
    2. ``blocks``: a table whose rows lie in the order of a whole number, the first column of its key.
    3. ``whole``: all others.

    Raises:
        TableUnreadable: this table cannot be read; others can.
        SourceUnavailable: the connection was lost.
    """
    if table.change_column:
        return newer.read(context, table, table.change_column)
    if (key := table.first_key) and context.warehouse.publishes_blocks:
        bits = blocks.bits_of(context, table, key)
        if bits is not None:
            return blocks.read(context, table, bits)
    return whole.read(context, table)
