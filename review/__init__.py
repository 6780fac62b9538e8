"""The effect of a pull request on the data: base and head, built side by side on the same landing, and compared.

Base    the last commit common to BASE and HEAD, checked out in a worktree of its own.
Head    the working tree as it is, uncommitted changes included.
Built   in schemas ``review_base_*`` and ``review_head_*``. The base: as much as the comparison needs. The head: the
        changed models and those downstream of them; the rest is read from the base.
History the base begins with copies of the warehouse's snapshots, a changed snapshot with the base's. Where no key has
        a second version, the review makes them: else what a join does to history would not show.
Report  ``reports/review.md`` for the pull request, ``reports/review.html`` to browse.
"""

from sandbox import home

FOLDER = home.SANDBOX / "review"
"""Of the base's checkout and both sides' artifacts."""


class ReviewError(Exception):
    """The review could not be made: the reason, and the remedy."""
