import time
from typing import Any

from django.core.management import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections
from django.db.backends.utils import CursorWrapper

LOCK = 0x1AC1DE27  # an arbitrary number for the advisory lock


def _has_lock(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
    return cursor.fetchall() == [(True,)]


class Command(Migrate):
    """Django's command; on PostgreSQL an advisory lock makes concurrent ones take turns."""

    def check(self, *args: Any, **kwargs: Any) -> None:
        # The first to connect: of an unreachable or refused database a sentence says enough.
        try:
            super().check(*args, **kwargs)
        except OperationalError as exc:
            raise CommandError(str(exc)) from exc

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        # A lock of a transaction, on a separate connection: with a pooler a session's lock could outlive its client.
        lock_connection = connection.copy()
        try:
            try:
                lock_connection.set_autocommit(False)
            except OperationalError as exc:
                raise CommandError(str(exc)) from exc
            with lock_connection.cursor() as cursor:
                # Asks again and again: CREATE INDEX CONCURRENTLY waits for all running statements, and one that waits
                # for the lock would wait for it.
                while not _has_lock(cursor):
                    time.sleep(1)
            super().handle(*args, **options)
        finally:
            lock_connection.close()
