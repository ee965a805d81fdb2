from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

LOCK = 0x1AC1DE27  # any number that nothing else locks


class Command(Migrate):
    """Django's own, except that several started at once on PostgreSQL take turns."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        # A connection and a transaction of its own: a pooler could hand a session's lock to another client.
        turn = connection.copy()
        try:
            turn.set_autocommit(False)
            with turn.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            super().handle(*args, **options)
        finally:
            turn.close()
