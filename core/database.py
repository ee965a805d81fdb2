"""What the ORM does not do: to outlive a restart of PostgreSQL, and to hand rows on without a query to compile."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from threading import local
from time import monotonic
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from django.db.models import Model

DOWN = (OperationalError, InterfaceError)


class _Thread(local):
    """What a thread keeps: to make a cursor costs a tenth of a short request."""

    cursor: psycopg.Cursor[tuple[Any, ...]] | None = None


_thread = _Thread()


def on_live_connection[T](read: Callable[[], T]) -> T:
    """
    The result of a request's first read, made again on a new connection where the kept one died since the last request.

    A dead connection says so at once. One that ran into its time-out does not lie: the database is away, and a second
    wait would keep the client for longer than the 5 seconds it was promised. Raises what `read` raises.
    """
    started = monotonic()
    try:
        return read()
    except DOWN:
        if connection.in_atomic_block or monotonic() - started > 0.5:
            raise
        connection.close()
        return read()


def fetch(sql: str, params: Sequence[Any] | Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]:
    """
    The rows of a statement, on PostgreSQL alone.

    One that comes often is planned once for a connection, and rows come in binary: the ORM's own cursor does neither.
    Where the best plan depends on the parameters, `prepare` is False. Raises django.db's errors.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    with database.wrap_database_errors:
        cursor = _thread.cursor
        if cursor is None or cursor.connection is not database.connection:
            cursor = _thread.cursor = psycopg.Cursor(database.connection)
        return cursor.execute(sql, params, prepare=prepare, binary=True).fetchall()


def get[M: Model](model: type[M], pk: int) -> M | None:
    """The row with that primary key."""
    if connection.vendor != "postgresql":
        return model._base_manager.filter(pk=pk).first()
    rows = fetch(_select(model), (pk,))
    return _instance(model, rows[0]) if rows else None


def get_both[M: Model, N: Model](model: type[M], pk: int, other: type[N], other_pk: int) -> tuple[M | None, N | None]:
    """Two rows in one round trip; without the first, None is all that is said of the second."""
    if connection.vendor != "postgresql":
        return get(model, pk), get(other, other_pk)
    rows = fetch(_select_both(model, other), (other_pk, pk))
    if not rows:
        return None, None
    row, width = rows[0], len(model._meta.concrete_fields)
    return _instance(model, row), None if row[width] is None else _instance(other, row[width:])


@cache
def _select(model: type[Model]) -> str:
    return f"SELECT {_columns(model)} FROM {model._meta.db_table} WHERE id = %s"  # noqa: S608


@cache
def _select_both(model: type[Model], other: type[Model]) -> str:
    one, two = model._meta.db_table, other._meta.db_table
    return (
        f"SELECT {_columns(model)}, {_columns(other)} "  # noqa: S608
        f"FROM {one} LEFT JOIN {two} ON {two}.id = %s WHERE {one}.id = %s"
    )


def _columns(model: type[Model]) -> str:
    return ", ".join(f"{model._meta.db_table}.{field.column}" for field in model._meta.concrete_fields)


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _instance[M: Model](model: type[M], row: Sequence[Any]) -> M:
    names = _names(model)
    return model.from_db(DEFAULT_DB_ALIAS, names, row[: len(names)])
