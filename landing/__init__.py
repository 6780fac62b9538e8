"""The exact engine behind ``ingestion/mysql.py``: MySQL tables, row for row, in ``raw_<database>``. Imports no dlt.

``landing``      one landing: read -> loaded -> publish
``settings``     what the environment and the command line ask for (``environment``: hosts, TLS, secrets in files)
``columns``      between both sides: what a source has and sends, what a warehouse makes of it
``plan``         per table: what is read and what it becomes (``names``: theirs and ours; ``erased``: who was erased)
``drift``        what changed in the source's schema since the last landing, and whether that may land
``mysql``        all that MySQL says or is asked: connection, packets, catalog, types, text of every type
``reading``      one table into files: ``whole``, by ``blocks`` of keys, or ``newer`` rows
``warehouse``    what arrived is checked and published: the ``protocol``, ``postgres``, ``redshift`` (and its ``s3``)
``records``      ``_landing_*``: what landings leave for the next one, and for people
``report``       what a landing says it did
``steps``        named moments, for whoever wants to know
"""
