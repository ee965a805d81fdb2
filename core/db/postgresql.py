"""Raw prepared statements on PostgreSQL, and detection of dead connections."""

import select
from collections.abc import Mapping, Sequence
from threading import local
from typing import Any, Self

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from psycopg.types.datetime import TimestampBinaryLoader

DOWN = (OperationalError, InterfaceError)


def is_unavailable(exc: BaseException) -> bool:
    """Whether the database is away, full or read-only, as after a failover: what failed may succeed later."""
    # For psycopg that the transaction is read-only is an InternalError.
    return isinstance(exc, DOWN) or isinstance(exc.__cause__, psycopg.errors.ReadOnlySqlTransaction)


_thread = local()


def drop_dead_connection(**kwargs: Any) -> None:
    """
    Called when a request begins: lets Django reconnect if the server has closed the persistent connection.

    Between two requests the server sends nothing unless it closes the connection. CONN_HEALTH_CHECKS would cost a round
    trip for each request, and a failed write cannot be retried: it may have been committed.
    """
    kept = connection.connection
    if connection.vendor == "postgresql" and kept and not kept.closed and not connection.in_atomic_block:
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
    The rows of a statement, on PostgreSQL alone. Raises django.db's errors.

    Frequent statements are prepared, and rows are sent in binary: the ORM's own cursor does neither. `prepare` is False
    where the best plan depends on the parameters. Timestamps are naive, in UTC: their time zones would cost a page as
    much as its timestamps themselves. Django's tools see the statement: it passes Django's own cursor wrapper.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    # A cursor is kept for each thread: making one costs a tenth of a short request.
    cursor: Any = getattr(_thread, "cursor", None)
    if cursor is None or cursor.connection is not database.connection:
        cursor = _thread.cursor = _Cursor(database.connection)
        cursor.format = psycopg.pq.Format.BINARY
        cursor.adapters.register_loader("timestamptz", TimestampBinaryLoader)
    cursor.prepare = prepare
    wrapper = database.make_debug_cursor(cursor) if database.queries_logged else database.make_cursor(cursor)
    wrapper.execute(sql, params)
    return wrapper.fetchall()
