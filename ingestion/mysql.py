"""Land the tables of a MySQL database, exactly, in the warehouse schema ``raw_<database>``.

Source   the tables of ``MYSQL_DATABASE``, read in one consistent snapshot by ``landing``, which writes files of rows.
Copy     dlt copies the files into the schema ``landing_<database>``; on Redshift ``S3Copier`` does.
Publish  ``landing`` checks the checksums of what arrived and publishes all tables in one transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.configuration import CsvFormatConfiguration

from ingestion.destination import ExactPostgres, alone, explained
from landing.files import CopyResult, RowFile
from landing.landing import open_landing
from landing.report import LandingReport
from landing.settings import Settings
from landing.warehouse.s3 import S3Copier
from landing.warehouse.session import CONNECTION


def land(settings: Settings) -> LandingReport:
    """Land every table the settings ask for and return what was read and written.

    Raises:
        SourceUnavailable, WarehouseUnavailable, CopyUnavailable: a server went away. Nothing was published.
        AnotherLanding: one into the same schema is running.
        SettingsError: a setting fits nothing, or not to what landed before.
    """
    with open_landing(settings) as landing:
        copy = copier(settings, landing.folder)
        for files in landing.read():
            landing.loaded(copy(files))
        return landing.publish()


@dlt.source(name="mysql")
def mysql_tables(files: Sequence[RowFile]) -> Iterator[Any]:
    """One resource per table, whose items are finished files of its rows."""
    for table in dict.fromkeys(file.table for file in files):
        # not nullable: else dlt would read an empty text as NULL
        columns: Any = {name: {"data_type": "text", "nullable": False} for name in table.arrival_columns}
        yield dlt.resource(_of(table, files), name=table.arrival_name, columns=columns, write_disposition="append")


def _of(table: Any, files: Sequence[RowFile]) -> Iterator[Any]:
    for file in files:
        if file.table is table:
            yield dlt.mark.with_file_import(str(file.path), "csv", file.rows)


def copier(settings: Settings, folder: Path) -> Callable[[Sequence[RowFile]], CopyResult]:
    """What copies files into the arrival schema, whose tables are there already, and removes them."""
    if settings.warehouse == "redshift":
        return S3Copier(settings).copy
    credentials = {
        "host": settings.login["host"],
        "port": int(settings.login["port"]),
        "username": settings.login["user"],
        "password": settings.login["password"] or "none",  # dlt wants one, even where the server does not
        "database": settings.login["dbname"],
        "query": CONNECTION | {key: value for key, value in settings.login.items() if key.startswith("ssl")},
    }

    def copy(files: Sequence[RowFile]) -> CopyResult:
        with alone(), explained(settings):
            pipeline = dlt.pipeline(
                pipeline_name="landing",
                pipelines_dir=str(folder / "dlt"),
                destination=ExactPostgres(
                    credentials=credentials,
                    csv_format=CsvFormatConfiguration(include_header=True),
                    create_indexes=False,
                ),
                dataset_name=settings.arrival_schema,
            )
            info = pipeline.run(mysql_tables(files))
        refused = {
            job.job_file_info.table_name: (job.failed_message or "").strip().rpartition("Exception: ")[2]
            for package in info.load_packages
            for job in package.jobs["failed_jobs"]
        }
        for file in files:
            file.path.unlink()
        return CopyResult(files, ",".join(info.loads_ids), refused)

    return copy
