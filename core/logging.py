"""What is logged, and where to: the console, a file, standard output, and a Telegram chat for critical errors."""

import json
import logging
import os
import sys
import threading
import traceback
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import monotonic, perf_counter
from typing import IO, Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core import telegram
from core.redaction import redact

logger = logging.getLogger("request")
alert_logger = logging.getLogger("core.telegram")


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


def _traceback(record: logging.LogRecord) -> str:
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
        entry["traceback"] = redact(_traceback(record))
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
            lines += [f"    {line}" for line in redact(_traceback(record)).rstrip("\n").split("\n")]
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


Kind = tuple[str, str, str]  # the logger, the place, the type of the exception: what makes two errors the same


@dataclass
class Alert:
    kind: Kind
    title: str
    message: str
    details: str
    traceback: str
    created: float = field(default_factory=monotonic)
    count: int = 1

    def text(self, left_out: int) -> str:
        """What is sent: plain text that fits one message."""
        title = f"{self.title} ×{self.count}" if self.count > 1 else self.title
        message = telegram.start_of(redact(self.message), 1000)
        details = telegram.start_of(redact(self.details), 1000)
        if left_out:
            details += f"\n(and {left_out} alerts that were too many)"
        head = f"{title}\n{message}\n{details}\n\n"
        tail = telegram.end_of(redact(self.traceback), telegram.MESSAGE_LIMIT - telegram.length(head))
        return (head + tail).strip()


def _place(record: logging.LogRecord) -> str:
    """Where it went wrong: the innermost line of ours in the traceback, else where it was logged."""
    filename, line = record.pathname, record.lineno
    if record.exc_info and record.exc_info[1]:
        frames = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(record.exc_info[2])]
        ours = [frame for frame in frames if frame[0].startswith(_ROOT) and "site-packages" not in frame[0]]
        filename, line = (ours or frames or [(filename, line)])[-1]
    return f"{filename.removeprefix(_ROOT)}:{line}"


_ROOT = f"{settings.BASE_DIR}{os.sep}"


class TelegramHandler(logging.Handler):
    """
    Sends errors to TELEGRAM_LOGGING_CHAT; does nothing where that or the bot's token is not set.

    A thread of its own does the sending, so that no request waits for Telegram. The same error is sent once and
    then, while it goes on, once a minute with its count. What Telegram cannot take now is kept until it can.
    """

    GATHER = 1.0  # seconds in which the same error counts as one, before the first message
    QUIET = 60.0  # seconds between two messages about the same error
    FIRST_WAIT = 1.0  # seconds before the second try; doubled before each one more
    LONGEST_WAIT = 60.0
    SHUTDOWN = 5.0  # seconds that the end of the process waits for what is not sent yet
    LIMIT = 100  # alerts kept

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._pid = 0

    def _start(self) -> None:
        # A fork copies neither the thread nor the owner of a lock: each process begins anew when it first needs to.
        self._pending: dict[Kind, Alert] = {}
        self._left_out = 0
        self._quiet: dict[Kind, float] = {}
        self._backoff = 0.0
        self._backoff_until = self._told_to_wait_until = 0.0
        self._deadline: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="telegram-alerts", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        if not settings.TELEGRAM_BOT_TOKEN or not settings.TELEGRAM_LOGGING_CHAT:
            return
        try:
            if self._pid != os.getpid():
                self._start()
            if threading.current_thread() is self._thread:
                return  # an error about an alert would be an alert
            exception = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
            kind = (record.name, _place(record), exception)
            with self._changed:
                if same := self._pending.get(kind):
                    same.count += 1
                elif len(self._pending) >= self.LIMIT:
                    self._left_out += 1
                else:
                    self._pending[kind] = self._alert(record, kind)
                    self._changed.notify()
        except Exception:
            self.handleError(record)

    def _alert(self, record: logging.LogRecord, kind: Kind) -> Alert:
        details = [kind[1], f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%d %H:%M:%S} UTC"]
        if context := request_context.get():
            by = f" by {context.user}" if context.user else ""
            details += [f"request {context.request_id}{by}", f"{context.method} {context.path}"]
        title = f"{record.levelname} {record.name}"
        return Alert(kind, title, record.getMessage(), "\n".join(details), _traceback(record))

    def _run(self) -> None:
        while alert := self._next():
            left_out = self._left_out
            try:
                telegram.call(
                    "sendMessage",
                    chat_id=settings.TELEGRAM_LOGGING_CHAT,
                    text=alert.text(left_out),
                    link_preview_options={"is_disabled": True},  # Telegram need not visit what an error names
                )
            except telegram.TelegramError as exc:
                alert_logger.warning("An alert was not sent: %s", exc)
                if exc.transient:
                    self._try_again(alert, exc.retry_after)
                    continue
            except Exception:
                alert_logger.exception("An alert was not sent")
            else:
                with self._changed:
                    self._left_out -= left_out
            self._backoff = 0.0
            self._quiet[alert.kind] = monotonic() + self.QUIET
        if self._pending:
            alert_logger.warning("%d alerts were not sent before the process ended", len(self._pending))

    def _try_again(self, alert: Alert, retry_after: int | None) -> None:
        with self._changed:
            if newer := self._pending.pop(alert.kind, None):
                alert.count += newer.count
            self._pending[alert.kind] = alert  # as the last one: no alert holds up the others
            if retry_after is not None:
                self._told_to_wait_until = monotonic() + retry_after
            else:
                self._backoff = min(self._backoff * 2 or self.FIRST_WAIT, self.LONGEST_WAIT)
                self._backoff_until = monotonic() + self._backoff

    def _next(self) -> Alert | None:
        """Waits for the alert that is to be sent now; None when the process ends."""
        with self._changed:
            while True:
                now = monotonic()
                self._quiet = {kind: until for kind, until in self._quiet.items() if until > now}
                due = min(self._pending.values(), key=self._due, default=None)
                when = self._due(due) if due else None
                if self._deadline is not None and (when is None or max(when, now) > self._deadline):
                    return None
                if due and when is not None and when <= now:
                    return self._pending.pop(due.kind)
                self._changed.wait(None if when is None else when - now)

    def _due(self, alert: Alert) -> float:
        sendable = max(self._backoff_until, self._told_to_wait_until)
        if self._deadline is not None:
            return sendable
        return max(sendable, alert.created + self.GATHER, self._quiet.get(alert.kind, 0.0))

    def close(self) -> None:
        """Sends what is waiting, for a few seconds at most; called at the end of the process."""
        if self._pid == os.getpid():
            with self._changed:
                self._deadline = monotonic() + self.SHUTDOWN
                self._backoff_until = 0.0  # one more try, unless Telegram itself asked for patience
                self._changed.notify()
            self._thread.join(self.SHUTDOWN)
        super().close()
