from collections.abc import Callable
from time import monotonic

from django.db import InterfaceError, OperationalError, connection

DOWN = (OperationalError, InterfaceError)


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
