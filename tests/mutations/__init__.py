"""Do dbt's tests notice when a model is wrong? ``make test-mutations`` breaks the models in small ways, one at a time, to see."""
