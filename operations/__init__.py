"""A night with nobody at the terminal: its steps, its record, its alerts and a page about it.

``night`` lands, builds, publishes and writes the pages. A failure becomes a problem.

``problems`` gives the event its words, its readers and its runbook.

``records`` keeps each run: first in a file, then in tables of the warehouse.

``alerts`` tells of an incident once when it begins and once when it is over.

``status`` writes the page, and prints the same in a terminal.

``__main__`` is the command line.
"""
