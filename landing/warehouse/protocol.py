"""What a landing asks of a warehouse. A further one is one more module that answers this, and nothing else."""

from typing import Protocol

import psycopg2

from landing.columns import LineFormat, RowSum, SentText, TablePlan, WarehouseType
from landing.drift import DriftVerdict
from landing.parts import Part
from landing.records import ChangeCounts, LandingRun, Records
from landing.warehouse.session import Session


class NotPublished(Exception):
    """Something in the warehouse is in the way of one table; the message says what to do about it."""


class Warehouse(Protocol):
    session: Session
    """The connection; its transactions begin and end by ``begin`` and ``commit`` here."""
    records: Records
    line_format: LineFormat
    """How rows must be sent, so that ``arrived`` can add up the same checksums."""
    publishes_blocks: bool
    """Whether a part of a table can be published: its checksums are CRC32, which the reader has too."""

    def type_of(self, sent: SentText) -> WarehouseType:
        """What a column becomes."""

    def prepare(self) -> None:
        """Make the schemas and records; throw away what an earlier landing left in the arrival schema."""

    def check(self) -> None:
        """Raise ``WarehouseUnavailable`` if what waits while rows are read is gone: the connection, the lock."""

    def relations(self) -> set[str]:
        """Names in the raw schema that are taken."""

    def present_columns(self) -> dict[tuple[str, str], str]:
        """Types of the raw tables' columns by table and name; an empty one where the warehouse does not say."""

    def create_arrivals(self, table: TablePlan, verdict: DriftVerdict) -> None:
        """An empty table for the rows that arrive."""

    def arrived(self, table: TablePlan) -> RowSum:
        """Count and checksum of the rows that arrived."""

    def begin(self) -> None:
        """The publishing transaction."""

    def publish(self, table: TablePlan, verdict: DriftVerdict, run: LandingRun, part: Part, rows: int) -> ChangeCounts:
        """Make the raw table equal to what arrived, touching only rows that differ.

        ``part`` is what the rows that arrived are of the source's, ``rows`` how many they are.

        Raises:
            NotPublished: something made by hand is in the way.
        """

    def commit(self) -> None:
        """Everything published becomes visible."""

    def why(self, table: TablePlan, error: psycopg2.Error) -> str:
        """Why a statement about a table was refused, without a value of a row; asked for after the transaction."""

    def close(self) -> None:
        """Let go of the lock, too."""
