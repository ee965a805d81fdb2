"""Client of Telegram's Bot API (https://core.telegram.org/bots/api)."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Any
from urllib.parse import quote

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError, NewConnectionError

from core.log.redaction import redact

logger = logging.getLogger(__name__)

MESSAGE_LIMIT = 4096  # UTF-16 code units, as Telegram counts
TIMEOUT = (5, 10)  # seconds to connect, and between two bytes of the response
FILE_LIMIT = 20 << 20  # bytes, of a file that getFile gives
CHUNK_SIZE = 1 << 16  # bytes of a file, read at once at most


class TelegramError(Exception):
    """
    A failed call. Its message never contains the token.

    `status` is the response's, None where there was none, and `description` is Telegram's reason. `transient` tells
    whether the same call may succeed later: not before `retry_after` seconds where Telegram says so. `unknown` tells
    that the request was sent and its response lost: Telegram may have done what it was asked. `supergroup` is the id of
    the chat that the chat of the call became.
    """

    def __init__(
        self,
        message: str,
        *,
        transient: bool,
        status: int | None = None,
        description: str = "",
        unknown: bool = False,
        retry_after: int | None = None,
        supergroup: int | None = None,
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.status = status
        self.description = description
        self.unknown = unknown
        self.retry_after = retry_after
        self.supergroup = supergroup


class Limiter:
    """
    When Telegram takes the next message: of each chat one a second, of each group 20 a minute, of all 30 a second
    (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).

    Of one process, which suffices: one process at a time sends cards, by the job's lease. The critical errors of other
    processes are few, being debounced, and what goes over a limit after all is retried after its 429.
    """

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def free_at(self, chat: int | str) -> float:
        """On the clock of time.monotonic(): in the past where a message may be sent now."""
        with self._lock:
            return max(
                sent[0] + seconds if len(sent) == count else 0.0
                for sent, count, seconds in (
                    (self._of(key, count), count, seconds) for key, count, seconds in _limits(chat)
                )
            )

    def is_free(self, chat: int | str) -> bool:
        """Whether a message may be sent to the chat now."""
        return self.free_at(chat) <= monotonic()

    def note(self, chat: int | str) -> None:
        """Counts a message that is sent now."""
        with self._lock:
            for key, count, _ in _limits(chat):
                self._of(key, count).append(monotonic())

    def _of(self, key: str, count: int) -> deque[float]:
        return self._sent.setdefault(key, deque(maxlen=count))


def _limits(chat: int | str) -> list[tuple[str, int, float]]:
    """A key, and how many messages in how many seconds it may have. Groups have a negative id, channels a @name too."""
    limits = [("all", 30, 1.0), (f"chat {chat}", 1, 1.0)]
    return [*limits, (f"group {chat}", 20, 60.0)] if str(chat).startswith(("-", "@")) else limits


limiter = Limiter()  # of cards, reminders, and critical errors

_supergroups: dict[str, int] = {}  # by the id of the group that each was


def bot_id() -> int:
    """Of the bot whose token is set, 0 where none is: the digits before the colon."""
    digits = settings.TELEGRAM_BOT_TOKEN.partition(":")[0]
    return int(digits) if digits.isdecimal() else 0


def call(method: str, *, timeout: tuple[float, float] | None = None, **params: Any) -> Any:
    """The result of a Bot API method; a group that became a supergroup is found again. Raises TelegramError."""
    chat = str(params.get("chat_id"))
    if chat in _supergroups:
        params["chat_id"] = _supergroups[chat]
    try:
        return request(method, params, timeout=timeout)
    except TelegramError as exc:
        if exc.supergroup is None:
            raise
        _supergroups[chat] = params["chat_id"] = exc.supergroup
    logger.warning("The chat %s became the supergroup %d: set that id in its place.", chat, _supergroups[chat])
    return request(method, params, timeout=timeout)


def request(method: str, params: dict[str, Any], *, timeout: tuple[float, float] | None = None) -> Any:
    """The result of one request, which is never repeated. `timeout` is as TIMEOUT. Raises TelegramError."""
    url = f"{settings.TELEGRAM_API_URL.rstrip('/')}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}"
    try:
        # A connection for each request: a kept one that Telegram closes just then would leave the outcome unknown.
        # A redirect would turn the POST into a GET, and carry the token to another host.
        response = requests.post(url, json=params, timeout=timeout or TIMEOUT, allow_redirects=False)
    except requests.RequestException as exc:
        # Messages of requests and urllib3 contain the URL, and with it the token: report only the exception's type.
        transient = not isinstance(exc, ValueError)  # a malformed URL
        unknown = transient and _was_sent(exc)
        raise TelegramError(f"{method}: {type(exc).__name__}", transient=transient, unknown=unknown) from None
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    if response.ok and isinstance(body, dict) and body.get("ok"):
        return body.get("result")
    unreadable = response.ok and not isinstance(body, dict)
    raise _refusal(method, response, body if isinstance(body, dict) else {}, unknown=unreadable)


def read_file(path: str, *, until: float) -> Iterator[bytes]:
    """
    The bytes of a file by the `file_path` that getFile gave, in chunks.

    Raises TelegramError, where fewer bytes come than the response announces too, and at the time `until` on the clock
    of time.monotonic().
    """
    token = settings.TELEGRAM_BOT_TOKEN
    # A server with `--local` gives the place in its file system, where its folder of a bot is called by the token.
    url = f"{settings.TELEGRAM_API_URL.rstrip('/')}/file/bot{token}/{quote(path.rpartition(f'/{token}/')[2])}"
    headers = {"Accept-Encoding": "identity"}
    try:
        with requests.get(url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False) as response:
            if response.status_code != 200:
                raise _refusal("file", response, {})
            # What is there, not whole chunks: a server that sends a byte now and then would never exceed TIMEOUT.
            while chunk := response.raw.read1(CHUNK_SIZE, decode_content=False):
                yield chunk
                if monotonic() > until:
                    raise TelegramError("file: it comes too slowly", transient=True)
    except (requests.RequestException, HTTPError) as exc:
        raise TelegramError(f"file: {type(exc).__name__}", transient=True) from None


def _refusal(method: str, response: requests.Response, body: dict[str, Any], *, unknown: bool = False) -> TelegramError:
    seconds = response.headers.get("Retry-After", "")
    retry_after = _parameter(body, "retry_after")
    description = redact(str(body.get("description") or response.reason))
    return TelegramError(
        f"{method}: {response.status_code} {description}",
        transient=response.status_code == 429 or response.status_code >= 500,
        status=response.status_code,
        description=description,
        unknown=unknown,
        retry_after=int(seconds) if retry_after is None and seconds.isdecimal() else retry_after,
        supergroup=_parameter(body, "migrate_to_chat_id"),
    )


def _was_sent(exc: requests.RequestException) -> bool:
    """Whether the request may have reached Telegram: all but what fails before there is a connection."""
    if isinstance(exc, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return False
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return not isinstance(reason, NewConnectionError)


def _parameter(body: dict[str, Any], name: str) -> int | None:
    """A field of https://core.telegram.org/bots/api#responseparameters."""
    try:
        return int(body["parameters"][name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def length(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "replace")) // 2


def start_of(text: str, units: int) -> str:
    """The beginning of the text, whole characters only. Lone surrogates, which Telegram refuses, are replaced."""
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


def end_of(text: str, units: int) -> str:
    """The last lines that fit, or the last characters if not even one line does."""
    encoded = text.encode("utf-16-le", "replace")
    if len(encoded) <= 2 * units:
        return encoded.decode("utf-16-le")
    end = encoded[len(encoded) - 2 * units :].decode("utf-16-le", "ignore")
    return end.partition("\n")[2] or end
