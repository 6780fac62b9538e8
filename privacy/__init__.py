"""The warehouse's roles, and the erasure of one person. Their orders and payments stay, under the same key.

roles.py, roles.sql      the roles and their rights
erasure.py               the steps of an erasure
plan.py                  the tables and columns of the person
tables.py, erasure.sql   their rows changed in one transaction, and the record of it
files.py                 logs, reports and other files with values of rows

The sources in dbt mark personal columns (``meta.pii``) and the column with the person's key (``meta.subject``). Column
lineage finds the columns made of them.
"""


class ErasureError(Exception):
    """A person cannot be erased: the reason, and the remedy. Unless it says otherwise, nothing was changed."""


class Unfinished(ErasureError):
    """The person is erased, and something is left to clear away: the next run does it."""
