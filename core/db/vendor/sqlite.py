"""The functions of core.db.vendor on SQLite, which has one writer at a time and no standby."""

import os
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model


def connect_signals() -> None:
    connection_created.connect(_add_unicode_upper)


def _add_unicode_upper(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Called for each new connection: SQLite's UPPER changes only ASCII letters, and search needs Cyrillic."""
    connection.connection.create_function("upper", 1, lambda text: text and text.upper(), deterministic=True)


def is_read_only() -> bool:
    """Raises OperationalError where the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    path = connection.settings_dict["NAME"]
    return os.path.exists(path) and not os.access(path, os.W_OK)  # noqa: PTH110  # ":memory:" has no file


def wait_for_replication() -> None:
    """Does nothing."""


def limit_lock_waits(seconds: int) -> None:
    """Does nothing."""


def write_bytes(instance: Model, field: str, value: bytes) -> None:
    """Writes a large value into a stored row."""
    type(instance)._base_manager.filter(pk=instance.pk).update(**{field: value})
