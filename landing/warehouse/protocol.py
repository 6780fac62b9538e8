"""A warehouse, as used by a landing. A new warehouse is one more module with these methods, and nothing else."""

from typing import Protocol

import psycopg2

from landing.columns import LineFormat, RowSum, SentText, TablePlan, WarehouseType
from landing.drift import DriftVerdict
from landing.parts import Part
from landing.records import ChangeCounts, LandingRun, Records
from landing.warehouse.session import Session


class NotPublished(Exception):
    """Something in the warehouse is in the way of one table. The message gives the remedy."""


class Warehouse(Protocol):
    session: Session
    """The connection. Its transactions begin and end by ``begin`` and ``commit`` here."""
    records: Records
    line_format: LineFormat
    """How rows must be sent, for ``arrived`` to add up the same checksums."""
    publishes_blocks: bool
    """Whether a part of a table can be published. It takes CRC32 checksums, because the reader has them too."""

    def type_of(self, sent: SentText) -> WarehouseType:
        """The type of a column in the warehouse."""

    def prepare(self) -> None:
        """Make the schemas and records. Empty the arrival schema of an earlier landing."""

    def check(self) -> None:
        """Raise ``WarehouseUnavailable`` if the connection or the lock was lost while rows were read."""

    def relations(self) -> set[str]:
        """Names taken in the raw schema."""

    def present_columns(self) -> dict[tuple[str, str], str]:
        """Types of the raw tables' columns by table and name. A type is empty if the warehouse does not say."""

    def create_arrivals(self, table: TablePlan, verdict: DriftVerdict) -> None:
        """Make an empty table for arriving rows."""

    def arrived(self, table: TablePlan) -> RowSum:
        """Count and checksum of the arrived rows."""

    def begin(self) -> None:
        """Begin the publishing transaction."""

    def publish(self, table: TablePlan, verdict: DriftVerdict, run: LandingRun, part: Part, rows: int) -> ChangeCounts:
        """Make the raw table equal to the arrived rows. Only rows that differ are touched.

        ``part`` is the part of the source's table that arrived, ``rows`` its number of rows.

        Raises:
            NotPublished: something made by hand is in the way.
        """

    def commit(self) -> None:
        """Make everything published visible."""

    def why(self, table: TablePlan, error: psycopg2.Error) -> str:
        """Why a statement about a table was refused, without any value of a row. Called after the transaction."""

    def close(self) -> None:
        """Let go of the lock, too."""
