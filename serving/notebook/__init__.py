"""The first questions of an analyst, answered in a notebook that is logged in as one."""
