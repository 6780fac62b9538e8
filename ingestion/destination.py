"""dlt's Postgres for a landing. A refused file fails its table alone, and no value gets into a message.

Only this file uses a private part of dlt: its container. A landing's dlt must hear of no setting but ``_SETTINGS``, and
the caller of a landing may use dlt, too.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extensions
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination.exceptions import DestinationTerminalException
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob

from landing.files import CopyUnavailable
from landing.settings import Settings
from landing.steps import reached
from landing.warehouse.session import explain, explain_disk, is_of_the_server

_COPIED_AT_ONCE = 1 << 20
"""Bytes. dlt takes 8 KB, and for each piece the copying threads wait for the reading one."""
_SETTINGS: dict[str, Any] = {
    "runtime": {"dlthub_telemetry": False, "log_level": "CRITICAL", "intercept_signals": False},
    "schema": {"naming": "direct"},
    "load": {
        "delete_completed_jobs": True,
        "raise_on_failed_jobs": False,
        "raise_on_max_retries": 1,  # a failed landing is run again as a whole
        "workers": 4,
    },
    "restore_from_destination": False,
    "enable_runtime_trace": False,
}


class _Cursor(psycopg2.extensions.cursor):
    def copy_expert(self, sql: Any, file: Any, size: int = 0) -> None:
        super().copy_expert(sql, file, max(size, _COPIED_AT_ONCE))
        reached("file sent")


class _CopyJob(PostgresCsvCopyJob):
    def run(self) -> None:
        reached("copying file", self.load_table_name)
        self._job_client.sql_client.native_connection.cursor_factory = _Cursor
        try:
            super().run()
        except Exception as error:
            cause = next((cause for cause in _causes(error) if isinstance(cause, psycopg2.Error)), None)
            if cause is None or is_of_the_server(cause):
                raise
            raise DestinationTerminalException(_refusal(cause)) from None
        reached("file copied", self.load_table_name)


class _Client(PostgresClient):
    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:
        job = super().create_load_job(table, file_path, load_id, restore)
        return _CopyJob(file_path) if isinstance(job, PostgresCsvCopyJob) else job


class ExactPostgres(postgres):
    destination_type = "dlt.destinations.postgres"
    client_class = _Client


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Inside, dlt knows no settings but ``_SETTINGS``. It says nothing, because its messages quote rows."""
    context, log = Container()[PluggableRunContext], logging.getLogger("dlt")
    providers, disabled = context.providers, log.disabled
    context.providers = ConfigProvidersContainer([CustomLoaderDocProvider("landing", lambda: _SETTINGS)])
    log.disabled = True
    try:
        yield
    finally:
        context.providers, log.disabled = providers, disabled


@contextlib.contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Inside, dlt's errors become ``CopyUnavailable``, with the reason and without any value of a row."""
    try:
        yield
    except Exception as error:
        chain = list(_causes(error))
        for cause in chain:
            if isinstance(cause, psycopg2.Error):
                raise CopyUnavailable(explain(cause, settings)) from None
        for cause in chain:
            if isinstance(cause, OSError) and cause.strerror:
                raise CopyUnavailable(explain_disk(cause, settings)) from None
        what = type(chain[-1]).__name__
        raise CopyUnavailable(
            f"dlt could not load the staging schema ({what}). Nothing was published; run again."
        ) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, as wrapped by dlt: by cause, by context, by argument."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        inner = getattr(error, "dbapi_exception", None) or getattr(error, "client_exception", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _refusal(error: psycopg2.Error) -> str:
    """Why a file was refused, without the values in the message."""
    first = re.sub(r'"[^"]*"', '"..."', error.diag.message_primary or "the load failed")
    column = re.search(r", column ([a-z0-9_]+)", error.diag.context or "")
    return f"the warehouse refused it: {first}" + (f" (column {column[1]})" if column else "")
