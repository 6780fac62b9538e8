"""Erase one person: their data goes, their orders and payments stay under the same key.

What is personal, and whose a row is, is said once, on the sources in dbt: ``meta.pii`` and ``meta.subject``. Column
lineage tells which columns of which tables are made of it.
"""


class ErasureError(Exception):
    """Why a person cannot be erased, and what to do about it. Unless it says otherwise, nothing was changed."""


class Unfinished(ErasureError):
    """The person is erased, and something is left to clear away: the next run does it."""
