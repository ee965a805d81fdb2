"""Raw prepared statements on PostgreSQL, what core.db.vendor offers there, and which errors a retry may mend."""

import select
from collections.abc import Mapping, Sequence
from threading import local
from typing import Any, Self

import psycopg
from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from django.db.models import Model
from psycopg.types.datetime import TimestampBinaryLoader

DOWN = (OperationalError, InterfaceError)


def is_unavailable(exc: BaseException) -> bool:
    """Returns whether the database is unreachable, full or read-only, as after a failover: a retry may succeed."""
    # psycopg's ReadOnlySqlTransaction is an InternalError.
    return isinstance(exc, DOWN) or isinstance(exc.__cause__, psycopg.errors.ReadOnlySqlTransaction)


_thread = local()


def connect_signals() -> None:
    request_started.connect(_drop_dead_connection)


def _drop_dead_connection(**kwargs: Any) -> None:
    """
    Closes a persistent connection that the server has closed, when a request begins: Django then reconnects.

    Between requests the server sends nothing unless it closes the connection. CONN_HEALTH_CHECKS would cost a round
    trip for each request, and a failed write cannot be retried, since it may have been committed.
    """
    kept = connection.connection
    if kept and not kept.closed and not connection.in_atomic_block:
        poll = select.poll()
        poll.register(kept, select.POLLIN)
        if poll.poll(0):
            connection.close()


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    prepare: bool | None

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, prepare=self.prepare, **options)


def fetch(sql: str, params: Sequence[Any] | Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]:
    """
    Returns the rows of a statement. PostgreSQL only. Raises the exceptions of django.db.

    Frequent statements are prepared and rows are sent in binary format, which the ORM's cursor does not do. `prepare`
    is False if the best plan depends on the parameters. Timestamps are naive, in UTC: a time zone would double the cost
    of reading them. The statement passes Django's cursor wrapper, so that query logging and APMs see it.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    # One cursor for each thread: creating one costs a tenth of a short request.
    cursor: Any = getattr(_thread, "cursor", None)
    if cursor is None or cursor.connection is not database.connection:
        cursor = _thread.cursor = _Cursor(database.connection)
        cursor.format = psycopg.pq.Format.BINARY
        cursor.adapters.register_loader("timestamptz", TimestampBinaryLoader)
    cursor.prepare = prepare
    wrapper = database.make_debug_cursor(cursor) if database.queries_logged else database.make_cursor(cursor)
    wrapper.execute(sql, params)
    return wrapper.fetchall()


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
