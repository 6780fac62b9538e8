"""A table's rows, all of them, into files; what is the same as last time, by its SHA-256, is not loaded."""

import hashlib

from landing.columns import RowSum, TablePlan
from landing.parts import Part, WholeTable
from landing.reading.context import ReadContext, TableRead
from landing.reading.writer import FileWriter, fits, joined
from landing.records import TableState
from landing.steps import reached


def read(context: ReadContext, table: TablePlan) -> TableRead | None:
    """Read all rows; None if a text holds what the warehouse would refuse and nobody looked for."""
    return read_part(context, table, WholeTable(), context.compared_state(table))


def read_part(
    context: ReadContext, table: TablePlan, part: Part, state: TableState | None, condition: str = ""
) -> TableRead | None:
    """Read the rows of a condition into files of ``chunk_rows`` rows and hand them over.

    A file whose digest is the same as in ``state``, like all files before it, is held back. If that holds to the end,
    nothing has changed and nothing is loaded.
    """
    source, files = context.source, FileWriter(context, table)
    select = source.select(table, context.warehouse.line_format, condition)
    seed = hashlib.sha256(select.encode())
    digest, digests, same = seed.copy(), list[str](), state is not None

    def end_file() -> None:
        nonlocal digest, same
        digests.append(digest.hexdigest()[:32])
        digest, number = seed.copy(), len(digests)
        files.finish()
        same = same and state is not None and state.digests[number - 1 : number] == digests[-1:]
        if not same:
            files.hand_over()

    source.reset_sum()
    if state is None:
        files.create_arrivals()  # what cannot arrive fails before it is read
    clean = True
    for batch in source.stream(select):
        reached("rows read", table.name)
        rows = batch if clean else []  # the rest is taken in all the same: the snapshot is good for other tables
        while rows:
            room = context.settings.chunk_rows - files.rows
            now, rows = rows[:room], rows[room:]
            lines = joined(now)
            digest.update(lines)
            files.write(lines, len(now))
            if not fits(lines):
                clean, rows = False, []
            elif files.rows == context.settings.chunk_rows:
                end_file()
    if not clean:
        files.discard()
        return None
    total = source.row_sum()
    end_file()
    unchanged = same and state is not None and digests == state.digests and context.raw_rows_are_there(table, state)
    if unchanged:
        files.discard()
    else:
        files.hand_over()
    new_state = TableState(total.rows, digests, context.loaded_at)
    return TableRead(part, total, RowSum(0, 0) if unchanged else total, unchanged, new_state)
