"""It runs by itself: a night, its record, its alerts, and a page that says how things are.

``night``      lands, builds, publishes and writes the pages; what fails becomes a problem
``problems``   what happened, for whom it matters, and which runbook ends it
``records``    runs as data: a file each, then tables of the warehouse
``alerts``     incidents: one word when they begin, one when they are over
``status``     the page, and the same for a terminal
``__main__``   the command line
"""
