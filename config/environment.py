"""Typed environment variables. An error names the variable in one sentence and never shows its value."""

import os
import re
from collections.abc import Mapping
from io import StringIO
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured
from dotenv.parser import parse_stream

BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)

# The password ends at the last @, so that it may contain any character.
POSTGRES_URL = re.compile(
    r"""(?:postgres|postgresql|pgsql)://(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?
    (?P<hosts>[^@/?]*)/(?P<name>[^/?@]+)(?:\?(?P<options>.*))?""",
    re.VERBOSE | re.DOTALL,
)
HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?")


def read_file(path: Path) -> None:
    """Adds the file's variables to the environment, which takes precedence. Raises ImproperlyConfigured."""
    try:
        bindings = list(parse_stream(StringIO(path.read_text("utf-8-sig"))))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError):
        raise ImproperlyConfigured(f"{path.name} cannot be read: save it as UTF-8, readable by the service.") from None
    for binding in bindings:
        if binding.error or (binding.key and binding.value is None) or "\0" in binding.original.string:
            line = binding.original.line
            raise ImproperlyConfigured(f"{path.name}, line {line}: write NAME=value, or NAME='value'.")
        if binding.key and binding.value is not None:
            os.environ.setdefault(binding.key, binding.value)


def text(name: str, default: str = "") -> str:
    return os.environ.get(name) or default


def boolean(name: str, default: bool) -> bool:
    """Raises ImproperlyConfigured."""
    value = text(name).strip().lower()
    if value and value not in BOOLEANS:
        raise ImproperlyConfigured(f"{name} must be True or False.")
    return BOOLEANS.get(value, default)


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """Raises ImproperlyConfigured."""
    value = text(name).strip()
    if not value:
        return default
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")
    return int(value)


def choice(name: str, values: list[str]) -> str:
    """Reads one of `values`, the first by default. Raises ImproperlyConfigured."""
    value = text(name, values[0]).strip().lower()
    if value not in values:
        raise ImproperlyConfigured(f"{name} must be {', '.join(values[:-1])} or {values[-1]}.")
    return value


def items(name: str, default: list[str]) -> list[str]:
    """Reads a list of comma-separated values."""
    return [item.strip() for item in text(name).split(",") if item.strip()] or default


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(item) for item in items(name, [])]
    except ValueError:
        raise ImproperlyConfigured(f"{name} takes networks, separated by commas: 10.0.0.0/8, fd00::/8.") from None


def time_zone(name: str, default: str) -> str:
    """Raises ImproperlyConfigured."""
    value = text(name).strip() or default
    if value not in available_timezones():
        raise ImproperlyConfigured(f"{name} must be a time zone, such as Europe/Moscow or UTC.")
    return value


def path_prefix(name: str) -> str:
    """Reads a prefix such as /incidents, or none. Raises ImproperlyConfigured."""
    value = text(name).strip().rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", value, re.ASCII) or re.match("/(api|static)(/|$)", value):
        raise ImproperlyConfigured(f"{name} must be a path such as /incidents, and not one of the service's own.")
    return value


SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL",
    # A deferred transaction that reads first and then writes fails at once if another one writes.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}
POSTGRESQL_OPTIONS = {
    # A request fails within 5 seconds of an outage: 2 on the persistent connection, 2 on a new one.
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,  # tcp_user_timeout takes effect at the second probe
}


def database(sqlite: Path) -> dict[str, Any]:
    """Reads an entry of DATABASES: DATABASE_URL, else POSTGRES_*, else SQLite. Raises ImproperlyConfigured."""
    entry = _database(sqlite)
    if entry["ENGINE"].endswith("sqlite3"):
        return entry | {"OPTIONS": SQLITE_OPTIONS}
    # Of several hosts one is the primary: to begin with another would make each write fail.
    return _with_options(entry, {"target_session_attrs": "read-write"})


def replica(primary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Reads an entry of DATABASES from DATABASE_REPLICA_URL; None without it. Raises ImproperlyConfigured."""
    url = text("DATABASE_REPLICA_URL").strip()
    if not url:
        return None
    entry = _database_of_url("DATABASE_REPLICA_URL", url)
    if any(each["ENGINE"].endswith("sqlite3") for each in (primary, entry)):
        raise ImproperlyConfigured("DATABASE_REPLICA_URL is for a standby of PostgreSQL: SQLite has none.")
    if "," not in entry["HOST"] and all(entry[name] == str(primary[name]) for name in ("HOST", "PORT", "NAME")):
        raise ImproperlyConfigured("DATABASE_REPLICA_URL must name another server than the primary.")
    any_standby = {"load_balance_hosts": "random", "target_session_attrs": "prefer-standby"}
    return _with_options(entry, any_standby) | {"TEST": {"MIRROR": "default"}}


def _with_options(entry: dict[str, Any], of_several_hosts: dict[str, Any]) -> dict[str, Any]:
    prepared = choice("POSTGRES_PREPARED_STATEMENTS", ["auto", "on", "off"])
    if entry.get("DISABLE_SERVER_SIDE_CURSORS"):
        prepared = "off"
    # For core.db.postgresql.fetch; the ORM prepares nothing.
    prepare = {"prepare_threshold": None if prepared == "off" else 5}
    hosts = of_several_hosts if "," in entry["HOST"] else {}
    options = POSTGRESQL_OPTIONS | prepare | hosts | entry.get("OPTIONS", {})
    return entry | {"OPTIONS": options, "PREPARED_STATEMENTS": prepared}


def _database(sqlite: Path) -> dict[str, Any]:
    if text("DATABASE_URL"):
        return _database_of_url("DATABASE_URL", text("DATABASE_URL").strip())
    if not text("POSTGRES_HOST"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": sqlite}
    return {
        "ENGINE": "core.db.postgresql",
        "HOST": text("POSTGRES_HOST"),
        "PORT": integer("POSTGRES_PORT", 5432, least=1, most=65_535),
        "NAME": text("POSTGRES_DB", "incidents"),
        "USER": text("POSTGRES_USER", "incidents"),
        "PASSWORD": text("POSTGRES_PASSWORD"),
    }


def _database_of_url(variable: str, url: str) -> dict[str, Any]:
    if url.startswith("sqlite://"):
        path = url.removeprefix("sqlite://").removeprefix("/")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(path) or ":memory:"}
    match = POSTGRES_URL.fullmatch(url)
    hosts = [HOST.fullmatch(host) for host in match["hosts"].split(",")] if match else []
    if not match or not all(hosts):
        raise ImproperlyConfigured(f"{variable} must look like postgres://USER:PASSWORD@HOST:PORT/NAME.")
    options = {key.lower(): value for key, value in parse_qsl(match["options"] or "")}
    pooled = options.pop("disable_server_side_cursors", "").lower()
    return {
        "ENGINE": "core.db.postgresql",
        "HOST": ",".join(unquote(host[1].strip("[]")) for host in hosts if host),
        "PORT": ",".join(host[2] or "" for host in hosts if host).strip(","),
        "NAME": unquote(match["name"]),
        "USER": unquote(match["user"] or ""),
        "PASSWORD": unquote(match["password"] or ""),
        "DISABLE_SERVER_SIDE_CURSORS": BOOLEANS.get(pooled, False),
        "OPTIONS": options,
    }


def storages(media_root: Path, *, manifest: bool) -> dict[str, dict[str, Any]]:
    """Reads STORAGES: `attachments` is a bucket of S3 if ATTACHMENT_S3_BUCKET is set. Raises ImproperlyConfigured."""
    files = "django.core.files.storage.FileSystemStorage"
    # Readable by the service's group, for a web server in it
    options = {
        "location": media_root,
        "base_url": None,
        "file_permissions_mode": 0o640,
        "directory_permissions_mode": 0o750,
    }
    static = "django.contrib.staticfiles.storage.StaticFilesStorage"
    if manifest:
        static = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    return {
        "default": {"BACKEND": files},
        "staticfiles": {"BACKEND": static},
        "attachments": _bucket() or {"BACKEND": files, "OPTIONS": options},
    }


def _bucket() -> dict[str, Any] | None:
    names = ("BUCKET", "ENDPOINT", "REGION", "ACCESS_KEY", "SECRET_KEY")
    bucket, endpoint, region, access_key, secret_key = (text(f"ATTACHMENT_S3_{name}") for name in names)
    if bool(access_key) != bool(secret_key):
        raise ImproperlyConfigured("Set both of ATTACHMENT_S3_ACCESS_KEY and ATTACHMENT_S3_SECRET_KEY, or neither.")
    if not bucket:
        if endpoint or region or access_key:
            raise ImproperlyConfigured("Set ATTACHMENT_S3_BUCKET, or none of the variables ATTACHMENT_S3_*.")
        return None
    if endpoint and not re.match(r"https?://[^/]", endpoint):
        raise ImproperlyConfigured("ATTACHMENT_S3_ENDPOINT must be a URL, such as https://s3.example.org.")
    from botocore.config import Config  # slow to import

    # A request that stores or sends a file fails within half a minute of an outage. Other servers than Amazon's do not
    # know all checksums; each file has its SHA-256 in the database.
    client = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"total_max_attempts": 2, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    options = {
        "bucket_name": bucket,
        "endpoint_url": endpoint or None,
        "region_name": region or None,
        "access_key": access_key or None,
        "secret_key": secret_key or None,
        "client_config": client,
        "max_memory_size": 2**20,  # bytes of a file that is read; without it, all of them
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
