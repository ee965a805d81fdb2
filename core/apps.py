from typing import Any

from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def teach_sqlite_upper(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """SQLite's own UPPER knows Latin letters alone: a search for Cyrillic would mind its case."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("upper", 1, lambda text: text and text.upper(), deterministic=True)


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks  # noqa: F401  # registers them
        from core.database import drop_dead_connection

        connection_created.connect(teach_sqlite_upper)
        request_started.connect(drop_dead_connection)
