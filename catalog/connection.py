"""The warehouse as the docs read it."""

import os
from typing import Any

import psycopg2


def connect() -> Any:
    """A connection as dbt logs in: DBT_USER if that is set, else libpq's own PGUSER."""
    user = os.environ.get("DBT_USER") or None
    password = os.environ.get("DBT_PASSWORD") if user else None
    return psycopg2.connect("", user=user, password=password, connect_timeout=10)
