"""All rows of a table into files. A table is not loaded if its SHA-256 digests are the same as last time."""

import hashlib

from landing.columns import RowSum, TablePlan
from landing.parts import Part, WholeTable
from landing.reading.context import ReadContext, TableRead
from landing.reading.writer import FileWriter, fits, joined
from landing.records import TableState
from landing.steps import reached


def read(context: ReadContext, table: TablePlan) -> TableRead | None:
    """Read all rows. None if the warehouse would refuse a text and texts were not checked."""
    return read_part(context, table, WholeTable(), context.compared_state(table))


def read_part(
    context: ReadContext, table: TablePlan, part: Part, state: TableState | None, condition: str = ""
) -> TableRead | None:
    """Read the rows of a condition into files of ``chunk_rows`` rows and hand them over.

    1. A file is held back while its digest and those of all earlier files are the same as in ``state``.
    2. The first file with another digest is handed over, with those held back; so are all later ones.
    3. If no digest differs to the end, nothing is loaded, unless the raw table has another number of rows.
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
        files.create_arrivals()  # a table that cannot arrive fails before it is read
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
