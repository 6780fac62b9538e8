"""The star schema of ``tests/project``, seen by each of the warehouse's roles."""

import dataclasses
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sandbox import home, postgres
from tests.conftest import Servers
from tests.project.conftest import Star, the_star

REFUSED = "42501"
"""SQLSTATE of a missing right."""


@dataclasses.dataclass
class Roles:
    """Connections of the roles to a warehouse that was landed and built under ``ingest`` and ``transform``."""

    star: Star

    def connect(self, role: str) -> Any:
        given = self.star.servers.environment
        connection = psycopg2.connect(
            host=given["PGHOST"],
            port=given["PGPORT"],
            dbname=given["PGDATABASE"],
            user=role,
            password=home.read_state()[postgres.NAME]["roles"][role],
        )
        connection.autocommit = True
        return connection

    def query(self, role: str, *statements: str) -> list[tuple[Any, ...]]:
        """Rows of the last statement."""
        connection = self.connect(role)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def customer(self, number: int | str, sql: str) -> list[tuple[Any, ...]]:
        """Rows that a session of ``service_embedded`` sees that names this customer."""
        return self.query("service_embedded", f"set app.customer_number = '{number}'", sql)

    def may(self, role: str, statements: list[str]) -> set[str]:
        """Those of the statements that are not refused for want of a right; none has an effect."""
        allowed = set()
        connection = self.connect(role)
        connection.autocommit = False
        with connection.cursor() as cursor:
            for statement in statements:
                try:
                    cursor.execute(statement)
                    allowed.add(statement)
                except psycopg2.Error as error:
                    assert error.pgcode == REFUSED, f"{role}: {statement}: {error}"
                connection.rollback()
        connection.close()
        return allowed


@pytest.fixture(scope="session")
def roles(servers: Servers, dump: Path) -> Roles:
    return Roles(the_star(servers, dump))
