"""Who may read what, and one person erased: their data goes, their orders and payments stay under the same key.

roles.py, roles.sql      the warehouse's roles
erasure.py               the steps of an erasure
plan.py                  the tables and columns that may hold the person
tables.py, erasure.sql   those erased, in one transaction, and the record of it
files.py                 logs, reports and other files that may quote rows

The sources in dbt say once which columns are personal and whose a row is: ``meta.pii`` and ``meta.subject``. Column
lineage finds the columns that are made of them.
"""


class ErasureError(Exception):
    """Why a person cannot be erased, and what to do about it. Unless it says otherwise, nothing was changed."""


class Unfinished(ErasureError):
    """The person is erased, and something is left to clear away: the next run does it."""
