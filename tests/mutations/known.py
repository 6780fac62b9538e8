"""Mutants that have survived: those that may, with the reason, and those that are killed since, which every run builds."""

SURVIVORS: dict[str, str] = {
    "fct_closed_months: where reported.month_end_date_key is not null or adjusted.month_end_date_key is not null:"
    " reported.month_end_date_key is not null -> false": "no test counts closed months without an adjustment",
    "stg_classicmodels__orders: trim(status) as order_status,: trim(status) as -> status as": (
        "no status of the data has blanks around it"
    ),
}
"""By key. An entry whose mutant is killed fails ``pytest tests/mutations``."""

FORMER: tuple[str, ...] = ()
"""By key."""
