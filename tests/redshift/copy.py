"""COPY as Redshift runs it: CSV files of a bucket into a table; lengths are in bytes, an empty field is NULL."""

import csv
import dataclasses
import io
import re
from typing import Any

from tests.redshift.proxy import Backend

_COPY = re.compile(
    r"""copy "(?P<schema>[^"]+)"\."(?P<table>[^"]+)" \((?P<columns>"[^']+")\) from 's3://(?P<bucket>[^/']+)/(?P<prefix>[^']+)'"""
    r" iam_role '(?P<role>[^']+)'(?: region '[a-z0-9-]+')? format as csv ignoreheader 1 emptyasnull compupdate off statupdate off"
)
_LONGEST = 65_535


@dataclasses.dataclass
class Copy:
    """Answers a COPY with the reason why it failed, or an empty text."""

    backend: Backend
    s3: Any
    """A client of boto3."""
    role: str
    """ARN of the one role that may read the bucket."""
    loads: int = 0
    damaged: dict[str, str] = dataclasses.field(default_factory=dict)
    """Fields that arrive as something else."""

    def __call__(self, statement: str) -> str:
        asked = _COPY.fullmatch(statement)
        if not asked:
            return f"the stand-in for Redshift does not know this COPY: {statement[:200]}"
        if asked["role"] != self.role:
            return f"User arn:aws:redshift is not authorized to assume IAM Role {asked['role']}"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=asked["bucket"], Prefix=asked["prefix"])
        keys = [file["Key"] for page in pages for file in page.get("Contents", [])]
        if not keys:
            return f"The specified S3 prefix '{asked['prefix']}' does not exist"
        columns = [name.strip(' "').lower() for name in asked["columns"].split(",")]
        connection = self.backend.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("begin")
                relation = f'"{asked["schema"].lower()}"."{asked["table"].lower()}"'
                for key in keys:
                    body = self.s3.get_object(Bucket=asked["bucket"], Key=key)["Body"].read().decode("utf-8")
                    if failure := self._load(cursor, relation, columns, body):
                        cursor.execute("rollback")
                        cursor.execute(
                            "insert into redshift.sys_load_error_detail (file_name, line_number, column_name, error_message)"
                            " values (%s, %s, %s, %s)",
                            (f"s3://{asked['bucket']}/{key}", *failure),
                        )
                        return f"Load into table '{asked['table']}' failed.  Check 'sys_load_error_detail' system table for details."
                cursor.execute("commit")
        finally:
            connection.close()
        self.loads += 1
        return ""

    def _load(self, cursor: Any, relation: str, columns: list[str], body: str) -> tuple[int, str, str] | None:
        """Line, column and message of the first row that does not fit."""
        cursor.execute(
            "select attname, atttypmod - 4 from pg_attribute where attrelid = %s::regclass and attnum > 0", (relation,)
        )
        limits = dict(cursor.fetchall())
        csv.field_size_limit(1 << 30)
        lines = csv.reader(io.StringIO(body, newline=""), strict=True)
        next(lines)
        rows = io.StringIO()
        for number, row in enumerate(lines, 2):
            row = row or [""]  # an empty line
            if len(row) != len(columns):
                return number, "", "Extra column(s) found" if len(row) > len(columns) else "Delimiter not found"
            for name, value in zip(columns, row, strict=True):
                if len(value.encode()) > min(limits[name], _LONGEST):
                    return number, name, "String length exceeds DDL length"
            rows.write("\t".join(_field(self.damaged.get(value, value)) for value in row) + "\n")
        rows.seek(0)
        names = ", ".join(f'"{name}"' for name in columns)
        cursor.copy_expert(f"copy {relation} ({names}) from stdin", rows)
        return None


def _field(value: str) -> str:
    """In PostgreSQL's text format."""
    if not value:
        return r"\N"
    for character, escaped in (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r")):
        value = value.replace(character, escaped)
    return value
