"""The only caller of the Bot API (https://core.telegram.org/bots/api)."""

from typing import Any

import requests
from django.conf import settings

from core.log.redaction import redact

MESSAGE_LIMIT = 4096  # UTF-16 code units, as Telegram counts
TIMEOUT = (5, 10)  # seconds to connect, and between two bytes of the answer


class TelegramError(Exception):
    """
    A call that failed; what it says holds no token.

    `transient` tells whether the same call may succeed later: not before `retry_after` seconds where Telegram says so.
    """

    def __init__(self, message: str, *, transient: bool, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after


def call(method: str, **params: Any) -> Any:
    """The result of a Bot API method. Raises TelegramError."""
    url = f"{settings.TELEGRAM_API_URL.rstrip('/')}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}"
    try:
        # A redirect would turn the POST into a GET, and carry the token to another host.
        response = requests.post(url, json=params, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as exc:
        # requests and urllib3 put the URL, and with it the token, into what they say: only the kind is told.
        transient = not isinstance(exc, ValueError)  # a malformed URL
        raise TelegramError(f"{method}: {type(exc).__name__}", transient=transient) from None
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    if response.ok and answer.get("ok"):
        return answer.get("result")
    raise TelegramError(
        f"{method}: {response.status_code} {redact(str(answer.get('description') or response.reason))}",
        transient=response.status_code == 429 or response.status_code >= 500,
        retry_after=_retry_after(response, answer),
    )


def _retry_after(response: requests.Response, answer: dict[str, Any]) -> int | None:
    try:
        return int(answer["parameters"]["retry_after"])
    except (KeyError, TypeError, ValueError, OverflowError):
        seconds = response.headers.get("Retry-After", "")
        return int(seconds) if seconds.isdecimal() else None


def length(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "replace")) // 2


def start_of(text: str, units: int) -> str:
    """As much of the text as fits, no character cut in two; lone surrogates, which Telegram refuses, are replaced."""
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


def end_of(text: str, units: int) -> str:
    """As many of the last lines as fit, or of the last characters where not even one line does."""
    encoded = text.encode("utf-16-le", "replace")
    if len(encoded) <= 2 * units:
        return encoded.decode("utf-16-le")
    end = encoded[len(encoded) - 2 * units :].decode("utf-16-le", "ignore")
    return end.partition("\n")[2] or end
