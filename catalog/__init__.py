"""The docs site: what dbt knows of the project, as pages that open from disk."""
