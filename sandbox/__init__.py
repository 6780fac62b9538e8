"""Servers and data for a machine that has neither: a private MySQL-compatible source and an embedded Postgres.

Everything lives in ``.sandbox/`` and listens on 127.0.0.1 only. A server named by ``MYSQL_HOST`` or ``PGHOST``
is used instead, and is never started, stopped or reset from here.
"""
