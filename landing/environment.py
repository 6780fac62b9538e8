"""The environment of every program that connects: secrets, perhaps in files, and verified TLS."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

SECRET = re.compile(
    r"(?:MYSQL|PG|REDSHIFT|INGEST|DBT|ROLE|MASKING|ERASURE|DASHBOARDS|EMBEDDED)[A-Z_]*(?:PASSWORD|KEY)|ALERT_URLS|CRM_TOKEN"
)
"""The project's passwords and keys. ``<name>_FILE`` may give the path of a file with the secret instead."""
_LOCAL = ("127.0.0.1", "localhost", "::1")


class SettingsError(Exception):
    """A setting is missing or cannot be used. Nothing was read, nothing published."""


def is_local(host: str) -> bool:
    """Whether the name means this machine, independent of any name server. A path is a socket's."""
    return host in _LOCAL or host.startswith("/")


def secret(environment: Mapping[str, str], name: str) -> str:
    """The secret's text. If a file is named, it goes first.

    Raises:
        SettingsError: the file cannot be read. Names the variable and the path, never the content.
    """
    file = environment.get(f"{name}_FILE", "").strip()
    if not file:
        return environment.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"{name}_FILE={file}: {reason}.") from None


def warehouse_tls(environment: Mapping[str, str], prefix: str = "PG") -> dict[str, str]:
    """libpq's ``PGSSLMODE`` and ``PGSSLROOTCERT``: verified in full unless a Postgres is on this machine.

    The authorities are this machine's, by path. libpq's own word for them, ``system``, means a folder on the machine
    that compiled the driver's wheel.
    """
    host = environment.get(f"{prefix}HOST", "").strip()
    if not host or prefix == "PG" and is_local(host):
        return {}
    mode = environment.get(f"{prefix}SSLMODE", "").strip() or "verify-full"
    authority = environment.get(f"{prefix}SSLROOTCERT", "").strip()
    if not authority and mode.startswith("verify"):
        authority = ssl.get_default_verify_paths().cafile or "system"
    return {f"{prefix}SSLMODE": mode} | ({f"{prefix}SSLROOTCERT": authority} if authority else {})


def complete(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment with every secret in place of its file and the warehouse's TLS spelled out, for dbt and psql.

    Raises:
        SettingsError: a file cannot be read.
    """
    files = [name for name in environment if name.endswith("_FILE") and SECRET.fullmatch(name.removesuffix("_FILE"))]
    secrets = {name.removesuffix("_FILE"): secret(environment, name.removesuffix("_FILE")) for name in files}
    kept = {name: value for name, value in environment.items() if name not in files}
    return kept | secrets | warehouse_tls(environment)
