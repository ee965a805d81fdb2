"""The functions of core.db.vendor on PostgreSQL."""

from typing import Any

from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model

from core.db.postgresql import fetch


def connect_signals() -> None:
    request_started.connect(_drop_dead_connection)


def _drop_dead_connection(**kwargs: Any) -> None:
    """
    Closes a persistent connection that the server has closed, when a request begins: Django then reconnects.

    CONN_HEALTH_CHECKS would cost a round trip for each request, and a failed write cannot be retried, since it may have
    been committed.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.connection and database.connection.is_dead() and not database.in_atomic_block:
        database.close()


def wait_for_replication() -> None:
    """
    Returns once what was committed before stands on a standby, if replication is synchronous.

    For what is acknowledged without a commit of its own. Raises OperationalError.
    """
    fetch(REPLICATED, ())


def is_read_only() -> bool:
    """Commits unless the server is read-only; returns whether it is. Raises OperationalError."""
    with connection.cursor() as cursor:
        cursor.execute(WRITE)
        read_only, _ = cursor.fetchone()
    return read_only


def limit_lock_waits(seconds: int) -> None:
    """Limits them until the transaction ends. Raises OperationalError, caused by psycopg's LockNotAvailable."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{seconds:d}s'")


def write_bytes(instance: Model, field: str, value: bytes) -> None:
    """
    Writes a large value into a stored row.

    Django would write it into the statement, in hexadecimal digits and several copies.
    """
    table = instance._meta.db_table
    fetch(f"UPDATE {table} SET {field} = %b WHERE id = %s RETURNING id", (value, instance.pk))  # noqa: S608
    fetch("SELECT 1", ())  # until the next statement the cursor keeps the value


# Commits without a table: a message in the log of writes, for which synchronous replication waits, too. It is read-only
# on a hot standby as well.
WRITE = """
SELECT read_only, CASE WHEN NOT read_only THEN pg_logical_emit_message(true, 'incidents', 'ready') END
FROM (SELECT current_setting('transaction_read_only') = 'on' AS read_only) AS server
"""
REPLICATED = """
SELECT CASE WHEN current_setting('synchronous_standby_names') <> ''
  THEN pg_logical_emit_message(true, 'incidents', 'replicated') END
"""
