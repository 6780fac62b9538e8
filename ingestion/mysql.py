"""Land the tables of a MySQL database, exactly, in the warehouse schema ``raw_<database>``.

Read     ``landing`` reads the tables in one consistent snapshot of MySQL and writes files of rows.
Copy     dlt copies finished files into the schema ``landing_<database>`` while MySQL sends on.
Publish  ``landing`` compares the arrived rows' checksums with MySQL's, then publishes all tables in one transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from landing.files import CopyResult, RowFile
from landing.landing import open_landing
from landing.report import LandingReport
from landing.settings import Settings
from landing.warehouse.s3 import S3Copier
from landing.warehouse.session import CONNECTION

TABLES_OF_A_PIPELINE = 200
Copy = Callable[[Sequence[RowFile], Settings, Path], CopyResult]


def land(settings: Settings, copy: Copy | None = None) -> LandingReport:
    """Land every selected table and report the rows read and written. ``copy`` copies files; dlt does without it.

    Raises:
        SourceUnavailable, WarehouseUnavailable, CopyUnavailable: a server went away. Nothing was published.
        AnotherLanding: one into the same schema is running.
        SettingsError: a setting fits nothing, or not to what landed before.
    """
    with open_landing(settings) as landing:
        # dlt imports no finished CSV files into Redshift
        redshift = S3Copier(settings) if settings.warehouse == "redshift" else None
        copy = copy or copy_by_dlt
        groups: dict[str, int] = {}
        for files in landing.read():
            for group, some in grouped(files, groups).items():
                folder = landing.folder / f"dlt{group}"
                landing.loaded(redshift.copy(some) if redshift else copy(some, settings, folder))
        return landing.publish()


def grouped(files: Sequence[RowFile], groups: dict[str, int]) -> dict[int, list[RowFile]]:
    """The files by the group of their table. ``groups`` remembers each table's, and takes in new tables.

    Each group is a pipeline of its own: dlt takes time by the square of a pipeline's tables, and ends at about 970.
    """
    found: dict[int, list[RowFile]] = {}
    for file in files:
        group = groups.setdefault(file.table.arrival_name, len(groups) // TABLES_OF_A_PIPELINE)
        found.setdefault(group, []).append(file)
    return found


def copy_by_dlt(files: Sequence[RowFile], settings: Settings, folder: Path) -> CopyResult:
    """Copy files by dlt into the tables of the arrival schema, then remove the files.

    dlt's import takes half a second. So it is here: MySQL sends on meanwhile, and without changes dlt is not needed.
    """
    import dlt
    from dlt.common.destination.configuration import CsvFormatConfiguration

    from ingestion.destination import ExactPostgres, alone, explained

    @dlt.source(name="mysql")
    def mysql_tables() -> Iterator[Any]:
        """One resource per table. Its items are finished files of rows."""
        for table in dict.fromkeys(file.table for file in files):
            # not nullable: else dlt would read an empty text as NULL
            columns: Any = {name: {"data_type": "text", "nullable": False} for name in table.arrival_columns}
            items = [dlt.mark.with_file_import(str(f.path), "csv", f.rows) for f in files if f.table is table]
            yield dlt.resource(items, name=table.arrival_name, columns=columns, write_disposition="append")

    with alone(), explained(settings):
        pipeline = dlt.pipeline(
            pipeline_name="landing",
            pipelines_dir=str(folder),
            destination=ExactPostgres(
                credentials=_credentials(settings),
                csv_format=CsvFormatConfiguration(include_header=True),
                create_indexes=False,
            ),
            dataset_name=settings.arrival_schema,
        )
        info = pipeline.run(mysql_tables())
    refused = {
        job.job_file_info.table_name: (job.failed_message or "").strip().rpartition("Exception: ")[2]
        for package in info.load_packages
        for job in package.jobs["failed_jobs"]
    }
    for file in files:
        file.path.unlink()
    return CopyResult(files, ",".join(info.loads_ids), refused)


def _credentials(settings: Settings) -> dict[str, Any]:
    login = settings.login
    return {
        "host": login["host"],
        "port": int(login["port"]),
        "username": login["user"],
        "password": login["password"] or "none",  # dlt wants one, even if the server does not
        "database": login["dbname"],
        "query": CONNECTION | {key: value for key, value in login.items() if key.startswith("ssl")},
    }
