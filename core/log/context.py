"""Log context: the HTTP request or the job that log lines and alerts belong to."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from django.http import HttpRequest, HttpResponse

logger = logging.getLogger("request")


class LogContext:
    """`method` and `path` of an HTTP request, or the name of a job."""

    __slots__ = ("job", "method", "path", "request_id", "started", "user")

    def __init__(self, request_id: str = "", *, method: str = "", path: str = "", job: str = "") -> None:
        self.request_id = request_id or secrets.token_hex(16)
        self.method = method
        self.path = path  # without secrets, and without the query, which may contain some
        self.job = job
        self.started = perf_counter()
        self.user = ""  # the username, once the request is authenticated

    def milliseconds(self) -> float:
        return round((perf_counter() - self.started) * 1000, 1)


current_context: ContextVar[LogContext | None] = ContextVar("log_context", default=None)


@contextmanager
def log_context(context: LogContext) -> Iterator[LogContext]:
    """Adds `context` to the log lines and alerts of the block."""
    token = current_context.set(context)
    try:
        yield context
    finally:
        current_context.reset(token)


def current_request_id() -> str:
    """Returns "" outside requests and jobs, as in a command."""
    context = current_context.get()
    return context.request_id if context else ""


def set_user(username: str) -> None:
    if context := current_context.get():
        context.user = username


def set_path(path: str) -> None:
    """`path` is without secrets."""
    if context := current_context.get():
        context.path = path


def log_request(request: HttpRequest, response: HttpResponse, context: LogContext) -> None:
    """Writes the access log line of a request."""
    # The admin authenticates by session: Django caches the user here once it is loaded.
    if not context.user and (user := getattr(request, "_cached_user", None)):
        context.user = user.get_username()
    if logger.isEnabledFor(logging.INFO):
        # logger.info() would look for the place in the code, which no line shows.
        status = response.status_code
        args = (context.method, context.path, status)
        extra = {"status": status}
        logger.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, "%s %s %d", args, None, extra=extra))
