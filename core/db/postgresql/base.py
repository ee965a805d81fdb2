"""
Django's PostgreSQL backend which notices poolers.

https://docs.djangoproject.com/en/6.1/ref/databases/#subclassing-the-built-in-database-backends
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

FIRST_NAME = "_pg3_0"  # of psycopg's prepared statements


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection = psycopg.connect(**conn_params | {"autocommit": True})
        self._adapt_to_pooler(connection)
        return connection

    def _adapt_to_pooler(self, connection: psycopg.Connection[Any]) -> None:
        """
        Turns off what needs a session of its own if a pooler, such as PgBouncer, is between.

        psycopg gives its prepared statements the same names in every client. Through a pooler of transactions a client
        would run another client's statement. Raises OperationalError where they are on and the pooler does not keep
        them apart.
        """
        setting = self.settings_dict["PREPARED_STATEMENTS"]
        if setting != "off":
            # A pooler has no process of the server to name when a client connects.
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (None,)
            if pid == connection.info.backend_pid:
                return
        self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        if setting == "on":
            _require_own_names(connection)
        else:
            connection.prepare_threshold = None


def _require_own_names(connection: psycopg.Connection[Any]) -> None:
    """Raises OperationalError unless the pooler renames prepared statements, as PgBouncer does since 1.21."""
    try:
        with connection.transaction():
            # Not of Django's class, which prepares nothing
            cursor = psycopg.Cursor(connection).execute("SELECT name FROM pg_prepared_statements", prepare=True)
            if all(name != FIRST_NAME for (name,) in cursor.fetchall()):
                return
            connection.execute(f"DEALLOCATE {FIRST_NAME}")
    except psycopg.errors.DuplicatePreparedStatement:
        pass  # another client's
    connection.close()
    raise psycopg.OperationalError(
        "Set POSTGRES_PREPARED_STATEMENTS to auto: a pooler before PostgreSQL would mix up the clients' statements."
    )
