"""Land MySQL tables, exactly, in the warehouse schema ``raw_<database>``.

The steps of a landing, one module each; ``landing`` takes them in order.

``settings``     what the environment and the command line ask for (``environment``: hosts, TLS, secrets in files)
``connection``   one session of the warehouse, the lock, what its errors mean
``records``      ``_landing_*``: what landings leave for the next one, and for people
``source``       one connection to MySQL, one consistent snapshot: what tables are there, and their rows as text
``plan``         per table: the SELECT that formats its rows, the staged and the raw columns, the checksum of both sides
                 (``types``: the type policy; ``names``: MySQL's and ours; ``suppression``: who was erased)
``drift``        what changed in the source's schema since the last landing, and whether that may land
``reading``      a table's rows into files, unless they are those of last time (``blocks``: parts of a table)
``stage``        the process that loads finished files (``pipeline``: there, dlt copies them into the staging schema)
``warehouse``    what arrived is checked, then published (``redshift``: what is done otherwise there)
"""
