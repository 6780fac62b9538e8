"""dlt copies finished CSV files into the staging schema: what the process of ``ingestion.stage`` runs.

The tables are there before dlt comes: created from the plan, with types and names dlt need not know of. It hears of no
setting but those given here, neither from the environment nor from files.
"""

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2

from ingestion.connection import CONNECTION, explain, explain_disk, is_of_the_server
from ingestion.names import quote
from ingestion.plan import Table
from ingestion.settings import Settings
from ingestion.stage import Answer, Chunk

_COPIED_AT_ONCE = 1 << 20
"""Bytes; dlt takes 8 KB."""

_SETTINGS: dict[str, Any] = {
    "runtime": {
        "dlthub_telemetry": False,
        "log_level": "CRITICAL",
        "intercept_signals": False,  # what ``ingestion.stage`` does with SIGTERM and SIGINT stays in force
    },
    "schema": {"naming": "direct"},
    "load": {
        "delete_completed_jobs": True,
        "raise_on_failed_jobs": False,
        "raise_on_max_retries": 1,  # a landing that failed is run again as a whole
        "workers": 4,
    },
    "restore_from_destination": False,
    "enable_runtime_trace": False,
}


class Pipeline:
    """One dlt pipeline, whose work files live and die with this landing."""

    def __init__(self, settings: Settings, folder: Path):
        import dlt
        from dlt.common.destination.configuration import CsvFormatConfiguration

        self._dlt = dlt
        _leave_alone_with(_SETTINGS)
        credentials: dict[str, Any] = {
            "host": settings.warehouse["host"],
            "port": int(settings.warehouse["port"]),
            "username": settings.warehouse["user"],
            "password": settings.warehouse["password"] or "none",  # dlt wants one, even where the server does not
            "database": settings.warehouse["dbname"],
            "query": CONNECTION | {key: value for key, value in settings.warehouse.items() if key.startswith("ssl")},
        }
        self._pipeline = dlt.pipeline(
            pipeline_name="landing",
            pipelines_dir=str(folder / "dlt"),
            destination=_destination()(
                credentials=credentials,
                csv_format=CsvFormatConfiguration(include_header=True),
                create_indexes=False,
            ),
            dataset_name=settings.staging_schema,
        )

    def copy(self, chunks: Sequence[Chunk]) -> Answer:
        """Load the files and remove them. What dlt raises wraps whatever the driver did, rows included."""
        info = self._pipeline.run(
            [self._resource(table, chunks) for table in dict.fromkeys(table for table, _, _ in chunks)],
            write_disposition="append",
        )
        failed = {
            job.job_file_info.table_name: (job.failed_message or "").strip().rpartition("Exception: ")[2]
            for package in info.load_packages
            for job in package.jobs["failed_jobs"]
        }
        for _, path, _ in chunks:
            path.unlink()
        shutil.rmtree(Path(self._pipeline.working_dir) / "load" / "loaded", ignore_errors=True)
        return ",".join(info.loads_ids), failed

    def _resource(self, table: Table, chunks: Sequence[Chunk]) -> Any:
        def files() -> Iterator[Any]:
            for owner, path, rows in chunks:
                if owner is table:
                    yield self._dlt.mark.with_file_import(str(path), "csv", rows)

        return self._dlt.resource(files, name=table.staged_name)


def reason(error: Exception, settings: Settings) -> str:
    """Why nothing could be loaded, without a value of a row."""
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, psycopg2.Error):
            return explain(cause, settings)
    for cause in chain:
        if isinstance(cause, OSError) and cause.strerror:
            return explain_disk(cause, settings)
    return f"dlt could not load the staging schema ({type(chain[-1]).__name__}). Nothing was published; run again."


def _leave_alone_with(settings: dict[str, Any]) -> None:
    """From here on dlt knows these settings and no others, and says nothing: its messages quote rows."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers import CustomLoaderDocProvider
    from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    providers = ConfigProvidersContainer([CustomLoaderDocProvider("landing", lambda: settings)])
    Container()[PluggableRunContext].providers = providers
    logging.getLogger("dlt").disabled = True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, as dlt wraps them: by cause, by context, by argument."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        inner = getattr(error, "dbapi_exception", None) or getattr(error, "client_exception", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _destination() -> Any:
    """dlt's Postgres, except that a file the server refuses for what is in it fails its table and no other."""
    from dlt.common.destination.exceptions import DestinationTerminalException
    from dlt.destinations import postgres
    from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob

    class Copy(PostgresCsvCopyJob):
        def run(self) -> None:
            try:
                copy_file(self._job_client.sql_client, Path(self._file_path), self.load_table_name)
            except psycopg2.Error as error:
                if is_of_the_server(error):
                    raise
                raise DestinationTerminalException(_refusal(error)) from None

    class Client(PostgresClient):
        def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:
            job = super().create_load_job(table, file_path, load_id, restore)
            return Copy(file_path) if isinstance(job, PostgresCsvCopyJob) else job

    class Destination(postgres):
        destination_type = "dlt.destinations.postgres"
        client_class = Client

    return Destination


def copy_file(client: Any, path: Path, table_name: str) -> None:
    """What dlt's job does, in larger pieces: for each the threads that load wait for one another."""
    with path.open("rb") as file, client.begin_transaction():
        columns = ", ".join(map(quote, file.readline().decode().strip().split(",")))
        with client.native_connection.cursor() as cursor:
            into = client.make_qualified_table_name(table_name)
            cursor.copy_expert(f"copy {into} ({columns}) from stdin with (format csv)", file, _COPIED_AT_ONCE)


def _refusal(error: psycopg2.Error) -> str:
    """Why a file was refused, without the values that the message quotes."""
    first = re.sub(r'"[^"]*"', '"..."', error.diag.message_primary or "the load failed")
    column = re.search(r", column ([a-z0-9_]+)", error.diag.context or "")
    return f"the warehouse refused it: {first}" + (f" (column {column[1]})" if column else "")
