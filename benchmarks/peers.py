"""Other tools on the same task, each at its fastest: ``python benchmarks/peers.py --help``.

Runs in an environment of its own (the group ``bench`` of pyproject.toml), from the variables ``MYSQL_*`` and ``PG*``.
Every configuration of dlt replaces all tables of schema ``peer``: rows travel as Arrow tables, four files are loaded at
a time, and nothing is verified.
"""

import argparse
import os
import tempfile
from typing import Any

CONFIGURATIONS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    # name: dlt's backend, its file format, its backend's options
    "connectorx-csv": ("connectorx", "csv", {"return_type": "arrow_stream"}),
    "connectorx-parquet": ("connectorx", "parquet", {"return_type": "arrow_stream"}),
    "pyarrow-csv": ("pyarrow", "csv", {}),
    "pyarrow-parquet": ("pyarrow", "parquet", {}),
}
_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": "4",
    "LOAD__WORKERS": "4",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "DATA_WRITER__FILE_MAX_ITEMS": "500000",
}


def load(configuration: str, folder: str) -> None:
    backend, file_format, options = CONFIGURATIONS[configuration]
    os.environ.update(_SETTINGS)
    import dlt
    from dlt.sources.sql_database import sql_database

    mysql = {key: os.environ[f"MYSQL_{key}"] for key in ("USER", "PASSWORD", "HOST", "PORT", "DATABASE")}
    address = f"{mysql['USER']}:{mysql['PASSWORD']}@{mysql['HOST']}:{mysql['PORT']}/{mysql['DATABASE']}"
    if backend == "connectorx":
        options = options | {"conn": f"mysql://{address}"}
    tables = sql_database(
        f"mysql+pymysql://{address}",
        backend=backend,
        chunk_size=100_000,
        backend_kwargs=options,
    ).parallelize()
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=folder,
        dataset_name="peer",
        destination=dlt.destinations.postgres(
            {
                "host": os.environ["PGHOST"],
                "port": int(os.environ["PGPORT"]),
                "username": os.environ["PGUSER"],
                "password": os.environ["PGPASSWORD"],
                "database": os.environ["PGDATABASE"],
            },
            create_indexes=False,
        ),
    )
    pipeline.run(tables, write_disposition="replace", loader_file_format=file_format)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python benchmarks/peers.py", description="Load all tables into the schema peer by stock dlt."
    )
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        load(options.configuration, work)
