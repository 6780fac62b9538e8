"""Sources into the raw schemas. ``mysql`` lands MySQL tables by dlt, on the exact engine in ``landing``.

``mysql``         the script: a dlt source, its pipeline, ``land()``
``destination``   dlt's Postgres, told what a landing needs
``__main__``      the command line
"""
