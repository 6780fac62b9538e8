"""What a pull request does to the data: base and head built side by side on the same landing, and compared.

Base    the commit that BASE and HEAD have in common, checked out in a worktree of its own.
Head    the working tree as it is, uncommitted changes included.
Built   in schemas ``review_base_*`` and ``review_head_*``: of the base what the comparison needs, of the head what
        changed and what is downstream of it; the rest of the head is read from the base.
Report  ``reports/review.md`` for the pull request, ``reports/review.html`` to browse.
"""

from sandbox import home

FOLDER = home.SANDBOX / "review"
"""Of the base's checkout and both sides' artifacts."""


class ReviewError(Exception):
    """What keeps the review from running, and what to do about it."""
