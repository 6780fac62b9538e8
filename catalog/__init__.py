"""The docs site: dbt's knowledge of the project, as pages on disk."""
