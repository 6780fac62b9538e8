"""The exact engine behind ``ingestion/mysql.py``: MySQL tables, row for row, in ``raw_<database>``. Imports no dlt.

``landing``      One landing: read -> loaded -> publish.
``settings``     The wishes of the environment and the command line.
``environment``  Hosts, TLS, and secrets in files.
``columns``      The terms of both sides: columns of the source, how they travel, columns of the warehouse.
``plan``         The reading of each table, and its raw columns.
``names``        Names in MySQL and in the warehouse.
``erased``       People who were erased.
``drift``        Changes of the source's schema since the last landing, and whether they may land.
``mysql``        Everything about MySQL: connection, packets, catalog, types, the text of every type.
``reading``      One table into files: ``whole``, by ``blocks`` of keys, or ``newer`` rows.
``files``        Files of rows, and the result of copying them.
``parts``        The loaded part of a table.
``warehouse``    Arrived rows are checked and published: ``protocol``, ``postgres``, ``redshift`` (and its ``s3``).
``records``      The tables ``_landing_*``, for the next landing and for people.
``report``       The result of a landing.
``steps``        Named moments, for tests and logs.
"""
