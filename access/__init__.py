"""Who may do what in the warehouse: roles with least privilege, and the key of the masked columns' hashes."""
