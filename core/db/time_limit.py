"""How long a thread waits for the database before it gives up. PostgreSQL only; no limit unless one is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from time import monotonic
from typing import Any

# Longer than any statement of a request should take, shorter than nginx waits for the response (30 seconds).
REQUEST_SECONDS = 10.0


class _Limits(local):
    statement: float | None = None  # seconds
    deadline: float | None = None  # by monotonic(), for connecting and all statements together


_limits = _Limits()


def limit_statements(seconds: float | None) -> None:
    """Sets the limit from now on, in this thread."""
    _limits.statement = seconds


def start_request(**kwargs: Any) -> None:
    limit_statements(REQUEST_SECONDS)


def finish_request(**kwargs: Any) -> None:
    limit_statements(None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limits connecting and all statements of the block together."""
    _limits.deadline = monotonic() + seconds
    try:
        yield
    finally:
        _limits.deadline = None


def seconds_until_deadline() -> float | None:
    return None if _limits.deadline is None else max(0.0, _limits.deadline - monotonic())


def seconds_for_statement() -> float | None:
    return min((left for left in (seconds_until_deadline(), _limits.statement) if left is not None), default=None)
