"""Files into Redshift. dlt cannot import finished CSV files there, so they go to S3 and COPY loads them by IAM role."""

import contextlib
import re
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg2

from landing.columns import TablePlan
from landing.files import CopyResult, CopyUnavailable, RowFile
from landing.names import quote
from landing.settings import Settings
from landing.steps import reached
from landing.warehouse.redshift import is_of_redshift, reason
from landing.warehouse.session import connect, explain


class S3Copier:
    """Puts files into the staging bucket, has Redshift copy them, and removes them."""

    def __init__(self, settings: Settings):
        """Removes files of killed landings from the bucket.

        Raises:
            CopyUnavailable: the bucket cannot be read.
        """
        import boto3  # half a second of imports

        assert settings.bucket
        self._settings, self._bucket = settings, settings.bucket
        self._folder = f"{self._bucket.prefix}{settings.arrival_schema}/"
        self._s3: Any = boto3.client("s3", region_name=self._bucket.region or None)
        with self._errors():
            self._remove()

    def copy(self, files: Sequence[RowFile]) -> CopyResult:
        """Load the files and remove them.

        Raises:
            CopyUnavailable: the bucket, or Redshift, cannot be used.
        """
        load_id, refused = uuid.uuid4().hex, {}
        with self._errors(), contextlib.closing(connect(self._settings)) as connection:
            try:
                for number, file in enumerate(files):
                    key = f"{self._folder}{load_id}/{file.table.arrival_name}/{number}.csv"
                    self._s3.upload_file(str(file.path), self._bucket.name, key)
                    file.path.unlink()
                for table in dict.fromkeys(file.table for file in files):
                    if why := self._copy(connection, table, load_id):
                        refused[table.arrival_name] = why
                    reached("file copied", table.name)
            finally:
                self._remove()
        return CopyResult(files, load_id, refused)

    def close(self) -> None:
        self._s3.close()

    def _copy(self, connection: Any, table: TablePlan, load_id: str) -> str:
        """COPY one table's files. Returns Redshift's reason for refusing them, or nothing."""
        files = f"s3://{self._bucket.name}/{self._folder}{load_id}/{table.arrival_name}/"
        region = f" region '{self._bucket.region}'" if self._bucket.region else ""
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    f"copy {quote(self._settings.arrival_schema)}.{quote(table.arrival_name)}"
                    f" ({', '.join(map(quote, table.arrival_columns))}) from '{files}'"
                    f" iam_role '{self._bucket.copy_role}'{region} format as csv ignoreheader 1 emptyasnull"
                    " compupdate off statupdate off"
                )
            except psycopg2.Error as error:
                if "load_error" not in str(error):  # Redshift names the view with the reason
                    if is_of_redshift(error):
                        raise
                    return f"the warehouse refused it ({reason(error)})"
                cursor.execute(
                    "select trim(error_message), trim(column_name) from sys_load_error_detail where file_name like %s"
                    " order by start_time desc limit 1",
                    (f"{files}%",),
                )
                found = cursor.fetchone() or ("the reason is in sys_load_error_detail", "")
                return f"the warehouse refused it: {found[0]}" + (f" (column {found[1]})" if found[1] else "")
        return ""

    def _remove(self) -> None:
        """Remove this schema's files from the bucket."""
        from botocore.exceptions import ClientError

        bucket = self._bucket.name
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=self._folder):
            # a page has a thousand files, as many as one request takes
            keys = [{"Key": file["Key"]} for file in page.get("Contents", [])]
            removed = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}) if keys else {}
            if errors := removed.get("Errors"):
                raise ClientError({"Error": errors[0]}, "DeleteObjects")

    @contextlib.contextmanager
    def _errors(self) -> Any:
        """Inside, errors are told without any value of a row."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            known = re.search(r"\((\w+)\) when calling the (\w+)", str(error))
            what = f"{known[1]} on {known[2]}" if known else type(error).__name__
            raise CopyUnavailable(
                f"S3 bucket {self._bucket.name}: {what}. Check REDSHIFT_STAGING_URL and what this machine's role"
                " may do there. Nothing was published; run again."
            ) from None
        except psycopg2.Error as error:
            raise CopyUnavailable(explain(error, self._settings)) from None
