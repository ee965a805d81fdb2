"""What is logged, and where to: the console, a file, standard output, and a Telegram chat for critical errors."""

import logging
from contextvars import ContextVar
from time import perf_counter

from django.http import HttpRequest, HttpResponse

logger = logging.getLogger("request")


class RequestContext:
    """The request that log lines belong to."""

    __slots__ = ("request_id", "started", "user")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.started = perf_counter()
        self.user = ""  # the username, once the request is authenticated


request_context: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def log_request(request: HttpRequest, response: HttpResponse, context: RequestContext) -> None:
    """One line for each answered request."""
    milliseconds = round((perf_counter() - context.started) * 1000, 1)
    logger.info(
        "%s %s %d",
        request.method,
        request.path,
        response.status_code,
        extra={"duration_ms": milliseconds, "status": response.status_code},
    )
