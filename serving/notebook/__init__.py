"""The first questions of an analyst, answered in a notebook with an analyst's login."""
