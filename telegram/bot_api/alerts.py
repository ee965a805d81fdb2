"""Critical errors, sent to a Telegram chat."""

import logging
import os
import threading
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from django.conf import settings

from core.log.context import current_context
from core.log.formatters import traceback_of
from core.log.redaction import redact
from telegram.bot_api import client

logger = logging.getLogger(__name__)

Fingerprint = tuple[str, str, str]  # logger, place in the code, type of the exception: the same error has the same


@dataclass
class Alert:
    fingerprint: Fingerprint
    title: str
    message: str
    details: str
    traceback: str
    created: float = field(default_factory=monotonic)
    count: int = 1

    def text(self, dropped: int) -> str:
        """Plain text that fits one message."""
        title = f"{self.title} ×{self.count}" if self.count > 1 else self.title
        message = client.start_of(redact(self.message), 1000)
        details = client.start_of(redact(self.details), 1000)
        if dropped:
            details += f"\n(and {dropped} alerts that were too many)"
        head = f"{title}\n{message}\n{details}\n\n"
        tail = client.end_of(redact(self.traceback), client.MESSAGE_LIMIT - client.length(head))
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

    A thread does the sending, so that no request waits for Telegram. The same error is debounced: sent once and then,
    while it goes on, once a minute with its count. What Telegram cannot take now is retried with a backoff.
    """

    DEBOUNCE_SECONDS = 1.0  # in which the same error counts as one, before the first message
    REPEAT_SECONDS = 60.0  # seconds between two messages about the same error
    FIRST_BACKOFF_SECONDS = 1.0  # seconds before the first retry, doubled before each next one
    MAX_BACKOFF_SECONDS = 60.0
    SHUTDOWN_SECONDS = 5.0  # that the end of the process waits for what is not sent yet
    MAX_PENDING = 100  # alerts

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._pid = 0

    def _start(self) -> None:
        # Lazily, since a fork copies neither the thread nor the owner of a lock.
        self._pending: dict[Fingerprint, Alert] = {}
        self._dropped = 0
        self._quiet_until: dict[Fingerprint, float] = {}
        self._backoff = 0.0
        self._backoff_until = self._retry_after_until = 0.0
        self._deadline: float | None = None
        self._condition = threading.Condition()
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
                return  # an error while sending an alert must not cause another
            exception = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
            fingerprint = (record.name, _place(record), exception)
            with self._condition:
                if same := self._pending.get(fingerprint):
                    same.count += 1
                elif len(self._pending) >= self.MAX_PENDING:
                    self._dropped += 1
                else:
                    self._pending[fingerprint] = self._alert(record, fingerprint)
                    self._condition.notify()
        except Exception:
            self.handleError(record)

    def _alert(self, record: logging.LogRecord, fingerprint: Fingerprint) -> Alert:
        details = [fingerprint[1], f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%d %H:%M:%S} UTC"]
        if context := current_context.get():
            by = f" by {context.user}" if context.user else ""
            details += [f"request {context.request_id}{by}", f"{context.method} {context.path}".strip() or context.job]
        title = f"{record.levelname} {record.name}"
        return Alert(fingerprint, title, record.getMessage(), "\n".join(details), traceback_of(record))

    def _run(self) -> None:
        while alert := self._next():
            dropped = self._dropped
            client.limiter.note(settings.TELEGRAM_LOGGING_CHAT)
            try:
                client.call(
                    "sendMessage",
                    chat_id=settings.TELEGRAM_LOGGING_CHAT,
                    text=alert.text(dropped),
                    link_preview_options={"is_disabled": True},  # Telegram need not visit what an error names
                )
            except client.TelegramError as exc:
                logger.warning("An alert was not sent: %s", exc)
                if exc.transient:
                    self._try_again(alert, exc.retry_after)
                    continue
            except Exception:
                logger.exception("An alert was not sent")
            else:
                with self._condition:
                    self._dropped -= dropped
            self._backoff = 0.0
            self._quiet_until[alert.fingerprint] = monotonic() + self.REPEAT_SECONDS
        if self._pending:
            logger.warning("%d alerts were not sent before the process ended", len(self._pending))

    def _try_again(self, alert: Alert, retry_after: int | None) -> None:
        with self._condition:
            if newer := self._pending.pop(alert.fingerprint, None):
                alert.count += newer.count
            self._pending[alert.fingerprint] = alert  # as the last one: an alert that fails must not block the others
            if retry_after is not None:
                self._retry_after_until = monotonic() + retry_after
            else:
                self._backoff = min(self._backoff * 2 or self.FIRST_BACKOFF_SECONDS, self.MAX_BACKOFF_SECONDS)
                self._backoff_until = monotonic() + self._backoff

    def _next(self) -> Alert | None:
        """Blocks until an alert is due; None when the process ends."""
        with self._condition:
            while True:
                now = monotonic()
                self._quiet_until = {
                    fingerprint: until for fingerprint, until in self._quiet_until.items() if until > now
                }
                due = min(self._pending.values(), key=self._due, default=None)
                when = self._due(due) if due else None
                if self._deadline is not None and (when is None or max(when, now) > self._deadline):
                    return None
                if due and when is not None and when <= now:
                    return self._pending.pop(due.fingerprint)
                self._condition.wait(None if when is None else when - now)

    def _due(self, alert: Alert) -> float:
        sendable = max(
            self._backoff_until, self._retry_after_until, client.limiter.free_at(settings.TELEGRAM_LOGGING_CHAT)
        )
        if self._deadline is not None:
            return sendable
        return max(sendable, alert.created + self.DEBOUNCE_SECONDS, self._quiet_until.get(alert.fingerprint, 0.0))

    def close(self) -> None:
        """Sends what is waiting, for a few seconds at most; called at the end of the process."""
        if self._pid == os.getpid():
            with self._condition:
                self._deadline = monotonic() + self.SHUTDOWN_SECONDS
                self._backoff_until = 0.0  # a last try, unless Telegram sent Retry-After
                self._condition.notify()
            self._thread.join(self.SHUTDOWN_SECONDS)
        super().close()
