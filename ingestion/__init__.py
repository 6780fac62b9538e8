"""Land MySQL tables, exactly, in the warehouse schema ``raw_<database>``.

The steps of a landing, one module each:

``settings``    what the environment and the command line ask for
``source``      one connection to MySQL, one consistent snapshot: what tables are there, and their rows as text
``types``       the type policy: how each MySQL type travels and what it becomes
``names``       MySQL names -> warehouse names
``plan``        per table: the SELECT that formats its rows, the staged and the raw columns, the checksum of both sides
``drift``       what changed in the source's schema since the last landing, and whether that may land
``stage``       the process that loads finished files
``pipeline``    what it runs: dlt copies them into the staging schema
``warehouse``   the connection, the lock, the records of runs; checksums of what arrived; publication
``landing``     all of the above in order
"""
