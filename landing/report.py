"""The result of a landing."""

import dataclasses


@dataclasses.dataclass
class TableReport:
    """The result of one table."""

    source_table: str
    table: str | None = None
    status: str = "failed"
    """One of these:

    ``landed``     The raw rows are those of the source.
    ``unchanged``  The source's rows are the same as last time, byte for byte.
    ``failed``     The raw rows are as they were; ``reason`` says why.
    ``let go``     The source has it no more, and that was accepted. Its last raw rows stay.
    """
    reason: str = ""
    rows: int = 0
    """Rows of the table in MySQL."""
    checksum: int | None = None
    """Of all rows. None if only those were read that the binary log names."""
    loaded: int = 0
    """Rows loaded to be compared: all, or only those of changed blocks of keys."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    cast_exceptions: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class LandingReport:
    """The result of a landing. ``status`` is ``ok``, or ``failed`` if at least one table did not land."""

    run_id: str
    loaded_at: str
    source_database: str
    raw_schema: str
    status: str = "ok"
    seconds: float = 0.0
    log: str = ""
    """Why all rows were read, although the binary log could name those that changed. Empty if it did, or at first."""
    log_position: str = ""
    """Where the next landing begins to read the log. Empty if it must read all rows."""
    tables: list[TableReport] = dataclasses.field(default_factory=list)


def summary(report: LandingReport) -> str:
    """The report as a table for a terminal."""
    lines = [f"{'table':<30}{'status':>10}{'rows':>12}{'inserted':>11}{'updated':>10}{'deleted':>10}{'exceptions':>12}"]
    for table in report.tables:
        lines.append(
            f"{table.source_table[:29]:<30}{table.status:>10}{table.rows:>12,}{table.inserted:>11,}"
            f"{table.updated:>10,}{table.deleted:>10,}{table.cast_exceptions:>12,}"
        )
    for table in report.tables:
        lines += [f"  {table.source_table}: {note}" for note in table.notes]
        lines += [f"error: {table.source_table}: {table.reason}"] if table.status == "failed" else []
    wanted = [table for table in report.tables if table.status != "let go"]
    landed = sum(table.status != "failed" for table in wanted)
    lines += [f"All rows were read: {report.log}."] if report.log else []
    lines.append(
        f"Landed {landed} of {len(wanted)} tables of {report.source_database} in {report.raw_schema},"
        f" {report.seconds:.1f} s."
    )
    return "\n".join(lines)
