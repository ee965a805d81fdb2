"""What the ORM does not do: to outlive a restart of PostgreSQL, and to hand rows on without a query to compile."""

import select
from collections.abc import Mapping, Sequence
from threading import local
from typing import Any

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
    Called when a request begins: lets Django connect anew where the server has closed the kept connection meanwhile.

    Between two requests the server sends nothing unless it closes the connection. CONN_HEALTH_CHECKS would cost a round
    trip for each request, and a failed write cannot be retried: it may have been committed.
    """
    kept = connection.connection
    if connection.vendor == "postgresql" and kept and not kept.closed and not connection.in_atomic_block:
        poll = select.poll()
        poll.register(kept, select.POLLIN)
        if poll.poll(0):
            connection.close()


def fetch(sql: str, params: Sequence[Any] | Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]:
    """
    The rows of a statement, on PostgreSQL alone.

    One that comes often is planned once for a connection, and rows come in binary: the ORM's own cursor does neither.
    Where the best plan depends on the parameters, `prepare` is False. Times are in UTC and do not say so: to be asked
    for its zone costs each of a page's two hundred as much as to be read. Raises django.db's errors.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    with database.wrap_database_errors:
        # To make a cursor costs a tenth of a short request.
        cursor: psycopg.Cursor[tuple[Any, ...]] | None = getattr(_thread, "cursor", None)
        if cursor is None or cursor.connection is not database.connection:
            cursor = _thread.cursor = psycopg.Cursor(database.connection)
            cursor.adapters.register_loader("timestamptz", TimestampBinaryLoader)
        return cursor.execute(sql, params, prepare=prepare, binary=True).fetchall()
