"""The plan of each table: how its rows are sent, its warehouse columns, and columns left out, hashed or withheld."""

import dataclasses
import hashlib
from collections.abc import Sequence

from landing.columns import ColumnPlan, SentText, SourceColumn, SourceTable, TablePlan
from landing.erased import Suppressions
from landing.mysql.connection import MySqlSource, SourceUnavailable
from landing.mysql.text import NoPolicy, hash_withheld
from landing.names import warehouse_names
from landing.settings import Settings
from landing.warehouse.protocol import Warehouse

MAX_COLUMNS = 1598
"""PostgreSQL's 1,600, less ``_loaded_at`` and ``_exceptions`` (while rows arrive)."""


@dataclasses.dataclass(frozen=True)
class Planner:
    """Plans the tables of one landing."""

    source: MySqlSource
    warehouse: Warehouse
    settings: Settings
    suppressions: Suppressions

    def tables(self, found: Sequence[SourceTable]) -> tuple[list[TablePlan], dict[str, str]]:
        """A plan for each selected table; and for each one that cannot land, the reason by MySQL name.

        ``found`` are all tables of the source, because a table's name must not depend on the selection.
        """
        names = warehouse_names(table.name for table in found)
        plans, refused = [], {}
        for table in found:
            if not self.settings.wants(table.name) or table.is_view and not self.settings.with_views:
                continue
            try:
                plans.append(self.table(table, names[table.name]))
            except NoPolicy as error:
                refused[table.name] = str(error)
            except SourceUnavailable:
                raise
            except Exception as error:  # whatever is wrong with this one, the others land
                refused[table.name] = f"it could not be planned ({type(error).__name__})"
        return plans, refused

    def table(self, table: SourceTable, name: str, check_texts: bool = False) -> TablePlan:
        """Raises ``NoPolicy`` if a column's type has no policy (naming the column), or if the table cannot be held."""
        kept = [column for column in table.columns if not self.settings.leaves_out(table.name, column.name)]
        if not kept:
            doubt = (
                ": what the view reads is gone, or MYSQL_USER may not run a function that it calls. Mend the view,"
                " GRANT EXECUTE, or leave it out by INGEST_EXCLUDE_TABLES"
            )
            raise NoPolicy("it has no column to land" + (doubt if table.is_view else ""))
        if len(kept) > MAX_COLUMNS:
            raise NoPolicy(
                f"it has {len(kept)} columns; the warehouse can hold {MAX_COLUMNS}. See INGEST_EXCLUDE_COLUMNS"
            )
        names = warehouse_names(column.name for column in table.columns)
        withheld_if, withheld = self._withheld(table, name, names)
        columns = []
        for column in kept:
            sent = self._text_of(table, column, check_texts)
            if withheld_if and names[column.name] in withheld:
                columns.append(self._withhold(table, column, names[column.name], sent, withheld_if))
            else:
                columns.append(ColumnPlan(column, names[column.name], sent, self.warehouse.type_of(sent)))
        # a second reading must not meet files of the first; no warehouse name has capitals
        arrival_name = f"AGAIN_{hashlib.sha256(name.encode()).hexdigest()[:32]}" if check_texts else name
        plan = TablePlan(table, name, tuple(columns), arrival_name)
        return dataclasses.replace(plan, change_column=self._change_column(plan))

    def _text_of(self, table: SourceTable, column: SourceColumn, check_texts: bool = False) -> SentText:
        return self.source.text_of(table, column, self.warehouse.line_format, check_texts)

    def _withhold(
        self, table: SourceTable, column: SourceColumn, name: str, sent: SentText, withheld_if: str
    ) -> ColumnPlan:
        if column.key_position:
            raise NoPolicy(f"column {column.name} is in its key now, so it cannot be withheld for people erased")
        if self.settings.hashes(table.name, column.name):
            sent = hash_withheld(sent, withheld_if)
        column = dataclasses.replace(column, nullable=True)
        return ColumnPlan(column, name, sent, self.warehouse.type_of(sent), withheld_if)

    def _change_column(self, plan: TablePlan) -> ColumnPlan | None:
        """The change column of an incremental table; None for any other."""
        table = plan.source
        tells = [column.name for column in table.columns if self.settings.tells_change(table.name, column.name)]
        if not tells:
            return None
        wanted = f"INGEST_INCREMENTAL names {table.name}.{tells[0]}"
        found = next((column for column in plan.columns if column.source.name == tells[0]), None)
        if not found or not plan.key:
            raise NoPolicy(f"{wanted}; it takes the column, and a key on the table")
        if found.sent.is_hash or not found.sent.has_order:
            why = "lands hashed" if found.sent.is_hash else f"is {found.source.data_type}"
            raise NoPolicy(f"{wanted}, which {why}: it has no order to go by")
        return found

    def _withheld(self, table: SourceTable, name: str, names: dict[str, str]) -> tuple[str, frozenset[str]]:
        """The condition for rows of erased people, and the columns to withhold.

        Empty if the list or the snapshot has none of them. If the list has none for this table, MySQL is not asked.
        """
        rule = self.suppressions.rule(name)
        if rule is None:
            return "", frozenset()
        column = next((column for column in table.columns if names[column.name] == rule.subject_column), None)
        if column is None:
            raise NoPolicy(
                f"nothing says whose a row is: {rule.subject_column} is gone, and people who were erased could land"
            )
        sent = self._text_of(table, column)
        keys = self.source.values(table, column, sent)
        found = [key for key in keys if self.suppressions.has(rule, key)]
        return (self.source.is_one_of(column, sent, found), rule.columns) if found else ("", frozenset())
