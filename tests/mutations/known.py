"""Mutants that have survived: those that may, with the reason, and those that are killed since, which every run builds."""

SURVIVORS: dict[str, str] = {
    "int_orders__bound: pre_hook=\"{{ 'delete from ' ~ this if is_incremental() and not last_complete_landing() }}\",: pre_hook=\"{{ 'delete from ' ~ this if is_incremental() and not last_complete_landing() }}\", -> ": (
        "only code or a source without an order shows it, which no build here has: tests/project/test_partial_tests.py plants one"
    ),
}
"""By key. An entry whose mutant is killed fails ``pytest tests/mutations``."""

FORMER: tuple[str, ...] = ()
"""By key."""
