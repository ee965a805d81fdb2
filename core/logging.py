"""What is logged, and where to: the console, a file or standard output. Critical errors: core/alerts.py."""

import json
import logging
import sys
import traceback
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import chain
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import perf_counter
from typing import IO, Any

import orjson
from django.http import HttpRequest, HttpResponse

from core.redaction import redact

logger = logging.getLogger("request")


class RequestContext:
    """The request that log lines belong to."""

    __slots__ = ("method", "path", "request_id", "started", "user")

    def __init__(self, request_id: str, method: str = "", path: str = "") -> None:
        self.request_id = request_id
        self.method = method
        self.path = path  # without the query, which may hold what is nobody's business
        self.started = perf_counter()
        self.user = ""  # the username, once the request is authenticated

    def milliseconds(self) -> float:
        return round((perf_counter() - self.started) * 1000, 1)


request_context: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def authenticated_as(username: str) -> None:
    if context := request_context.get():
        context.user = username


def log_request(request: HttpRequest, response: HttpResponse, context: RequestContext) -> None:
    """One line for each answered request."""
    if not logger.isEnabledFor(logging.INFO):
        return
    # The admin's pages authenticate by session: Django keeps here whom it has looked up, if anybody.
    if not context.user and (user := getattr(request, "_cached_user", None)):
        context.user = user.get_username()
    status = response.status_code
    args = (context.method, context.path, status)
    # Made by hand: logger.info() would search the stack for its caller, each time the same.
    record = logging.LogRecord(logger.name, logging.INFO, __file__, 0, "%s %s %d", args, None)
    record.status = status
    logger.handle(record)


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    return message if record.name == logger.name else redact(message)


def traceback_of(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1]))


def json_line(record: logging.LogRecord) -> bytes:
    entry: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC),
        "level": record.levelname,
        "logger": record.name,
        "message": _message(record),
    }
    if context := request_context.get():
        entry["request_id"] = context.request_id
        entry["user"] = context.user
        entry["method"] = context.method
        entry["path"] = context.path
        if hasattr(record, "status"):
            entry["status"] = record.status
        entry["duration_ms"] = context.milliseconds()
    if record.exc_info:
        entry["traceback"] = redact(traceback_of(record))
    try:
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    except TypeError:  # a lone surrogate, which UTF-8 cannot hold
        return json.dumps(entry, default=str).encode() + b"\n"


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json_line(record)[:-1].decode()


CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in chain(range(0x20), range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class ConsoleFormatter(logging.Formatter):
    """For eyes: a line, and an indented traceback. What was sent to us can neither forge a line nor colour it."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname:<7} {record.name}: {_message(record)}"
        if context := request_context.get():
            line += f" [{context.milliseconds()} ms, {context.user or '-'}, {context.request_id}]"
        lines = [f"{datetime.fromtimestamp(record.created):%H:%M:%S} {line}"]
        if record.exc_info:
            lines += [f"    {line}" for line in redact(traceback_of(record)).rstrip("\n").split("\n")]
        return "\n".join(line.translate(CONTROL_CHARACTERS) for line in lines)


class JSONLinesHandler(WatchedFileHandler):
    """
    A file that several processes write and logrotate moves away.

    Rotation inside the process (RotatingFileHandler) loses lines as soon as two processes do it. Here nobody
    rotates: a line is one write to a file opened with O_APPEND, so lines neither mix nor overwrite each other,
    and whoever finds the file moved away opens the new one. Only logrotate's copytruncate could lose any.
    """

    stream: IO[bytes] | None  # type: ignore[assignment]

    def __init__(self, filename: str) -> None:
        super().__init__(filename, mode="ab", delay=True)
        self.failing = False

    def _open(self) -> IO[bytes]:  # type: ignore[override]
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = json_line(record)
            self.reopenIfNeeded()
            if self.stream is None:
                self.stream = self._open()
                self._statstream()
            self.stream.write(line)
            self.failing = False
        except OSError as exc:
            # A request is worth more than its line. A full disk fails every line: it is said once, not for each.
            if not self.failing:
                self.failing = True
                with suppress(Exception):
                    print(f"Cannot write the log {self.baseFilename}: {exc.strerror}", file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)
