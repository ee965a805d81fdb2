"""Critical errors, told to a Telegram chat."""

import logging
import os
import threading
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from django.conf import settings

from core import bot_api
from core.log.context import current_context
from core.log.formatters import traceback_of
from core.log.redaction import redact

logger = logging.getLogger(__name__)

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
        message = bot_api.start_of(redact(self.message), 1000)
        details = bot_api.start_of(redact(self.details), 1000)
        if left_out:
            details += f"\n(and {left_out} alerts that were too many)"
        head = f"{title}\n{message}\n{details}\n\n"
        tail = bot_api.end_of(redact(self.traceback), bot_api.MESSAGE_LIMIT - bot_api.length(head))
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
        if context := current_context.get():
            by = f" by {context.user}" if context.user else ""
            details += [f"request {context.request_id}{by}", f"{context.method} {context.path}".strip() or context.job]
        title = f"{record.levelname} {record.name}"
        return Alert(kind, title, record.getMessage(), "\n".join(details), traceback_of(record))

    def _run(self) -> None:
        while alert := self._next():
            left_out = self._left_out
            try:
                bot_api.call(
                    "sendMessage",
                    chat_id=settings.TELEGRAM_LOGGING_CHAT,
                    text=alert.text(left_out),
                    link_preview_options={"is_disabled": True},  # Telegram need not visit what an error names
                )
            except bot_api.TelegramError as exc:
                logger.warning("An alert was not sent: %s", exc)
                if exc.transient:
                    self._try_again(alert, exc.retry_after)
                    continue
            except Exception:
                logger.exception("An alert was not sent")
            else:
                with self._changed:
                    self._left_out -= left_out
            self._backoff = 0.0
            self._quiet[alert.kind] = monotonic() + self.QUIET
        if self._pending:
            logger.warning("%d alerts were not sent before the process ended", len(self._pending))

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
