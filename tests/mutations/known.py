"""Mutants that have survived: those that may, with the reason, and those that are killed since, which every run builds."""

SURVIVORS: dict[str, str] = {
    "fct_closed_months: where reported.month_end_date_key is not null or adjusted.month_end_date_key is not null:"
    " reported.month_end_date_key is not null -> false": "no test counts closed months without an adjustment",
    "stg_classicmodels__orders: trim(status) as order_status,: trim(status) as -> status as": (
        "no status of the data has blanks around it"
    ),
    "stg_classicmodels__customer_contacts: trim(contact_last_name) as contact_last_name,: trim(contact_last_name) as -> contact_last_name as": (
        "no name of the data has blanks around it"
    ),
    "stg_classicmodels__customer_contacts: trim(phone) as phone: trim(phone) as -> phone as": (
        "no telephone number of the data has blanks around it"
    ),
    "int_orders__bound: pre_hook=\"{{ 'delete from ' ~ this if is_incremental() and not last_complete_landing() }}\",: pre_hook=\"{{ 'delete from ' ~ this if is_incremental() and not last_complete_landing() }}\", -> ": "only a change of code that leaves orders out would show it",
}
"""By key. An entry whose mutant is killed fails ``pytest tests/mutations``."""

FORMER: tuple[str, ...] = ()
"""By key."""
