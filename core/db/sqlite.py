import os
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def add_unicode_upper(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Called for each new connection: SQLite's UPPER changes only ASCII letters, and search needs Cyrillic."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("upper", 1, lambda text: text and text.upper(), deterministic=True)


def is_read_only(connection: BaseDatabaseWrapper) -> bool:
    path = connection.settings_dict["NAME"]
    return os.path.exists(path) and not os.access(path, os.W_OK)  # noqa: PTH110  # ":memory:" has no file
