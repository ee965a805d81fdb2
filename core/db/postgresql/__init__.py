"""Raw prepared statements on PostgreSQL, and which errors a retry may mend."""

from collections.abc import Mapping, Sequence
from threading import local
from typing import Any, Self

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from psycopg.types.datetime import TimestampBinaryLoader

DOWN = (OperationalError, InterfaceError)
# They are internal errors to Django. A limit of the server's ends a transaction together with its session.
ENDED = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)


def is_unavailable(exc: BaseException) -> bool:
    """Returns whether the database is unreachable, full or read-only, as after a failover: a retry may succeed."""
    return isinstance(exc, DOWN) or isinstance(exc.__cause__, ENDED)


class _Thread(local):
    alias = DEFAULT_DB_ALIAS  # of the database that `fetch` asks

    def __init__(self) -> None:
        self.cursors: dict[str, Any] = {}


thread = _Thread()


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
    database = connections[thread.alias]
    database.ensure_connection()
    # One cursor for each thread and database: creating one costs a tenth of a short request.
    cursor: Any = thread.cursors.get(thread.alias)
    if cursor is None or cursor.connection is not database.connection:
        cursor = thread.cursors[thread.alias] = _Cursor(database.connection)
        cursor.format = psycopg.pq.Format.BINARY
        cursor.adapters.register_loader("timestamptz", TimestampBinaryLoader)
    cursor.prepare = prepare
    wrapper = database.make_debug_cursor(cursor) if database.queries_logged else database.make_cursor(cursor)
    wrapper.execute(sql, params)
    return wrapper.fetchall()
