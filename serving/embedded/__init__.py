"""A customer's own page, for the customer's eyes: the warehouse decides what is on it, by row-level security."""
