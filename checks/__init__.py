"""Checks without a server: portable SQL, lint of changed files, the AWS template.

portability.py, gate.py   SQL files on Redshift, and the rules
changed.py, git.py        the linters on files changed since a base
template.py               the security of infra/template.yml, beyond cfn-lint
"""


class CheckError(Exception):
    """A check could not run: the reason, and the remedy."""
