"""Mutants that have survived: those that may, with the reason, and those that are killed since, which every run builds."""

SURVIVORS: dict[str, str] = {}
"""By key. An entry whose mutant is killed fails ``pytest tests/mutations``."""

FORMER = (
    "incremental: totals.first_order_date is null: is -> is not",
    "incremental: stored.{{ month_key }} = (select max({{ month_key }}) from {{ this }}): max -> min",
)
"""By key."""
