"""Checks that need no server: SQL that both warehouses read, lint of what changed, the AWS template.

portability.py, gate.py   what Redshift would refuse in files, and the rules
changed.py, git.py        the linters on the files that differ from a base
template.py               what cfn-lint cannot know of infra/template.yml
"""


class CheckError(Exception):
    """What keeps a check from running, and what to do about it."""
