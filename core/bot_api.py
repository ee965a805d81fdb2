"""Client of Telegram's Bot API (https://core.telegram.org/bots/api)."""

import logging
from typing import Any

import requests
from django.conf import settings

from core.log.redaction import redact

logger = logging.getLogger(__name__)

MESSAGE_LIMIT = 4096  # UTF-16 code units, as Telegram counts
TIMEOUT = (5, 10)  # seconds to connect, and between two bytes of the response


class TelegramError(Exception):
    """
    A failed call. Its message never contains the token.

    `transient`: a retry may succeed, after `retry_after` seconds if Telegram sent them.
    `supergroup`: the new id of a group that was upgraded to a supergroup.
    """

    def __init__(
        self, message: str, *, transient: bool, retry_after: int | None = None, supergroup: int | None = None
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after
        self.supergroup = supergroup


_supergroups: dict[str, int] = {}  # new ids of upgraded groups, by their old ids


def call(method: str, **params: Any) -> Any:
    """The result of a Bot API method. Follows the upgrade of a group to a supergroup. Raises TelegramError."""
    chat = str(params.get("chat_id"))
    if chat in _supergroups:
        params["chat_id"] = _supergroups[chat]
    try:
        return _call(method, params)
    except TelegramError as exc:
        if exc.supergroup is None:
            raise
        _supergroups[chat] = params["chat_id"] = exc.supergroup
    logger.warning("The group %s was upgraded to the supergroup %d: configure the new id.", chat, _supergroups[chat])
    return _call(method, params)


def _call(method: str, params: dict[str, Any]) -> Any:
    url = f"{settings.TELEGRAM_API_URL.rstrip('/')}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}"
    try:
        # A redirect would turn the POST into a GET, and carry the token to another host.
        response = requests.post(url, json=params, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as exc:
        # Messages of requests and urllib3 contain the URL, and with it the token: report only the exception's type.
        transient = not isinstance(exc, ValueError)  # a malformed URL
        raise TelegramError(f"{method}: {type(exc).__name__}", transient=transient) from None
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        body = {}
    if response.ok and body.get("ok"):
        return body.get("result")
    seconds = response.headers.get("Retry-After", "")
    retry_after = _parameter(body, "retry_after")
    raise TelegramError(
        f"{method}: {response.status_code} {redact(str(body.get('description') or response.reason))}",
        transient=response.status_code == 429 or response.status_code >= 500,
        retry_after=int(seconds) if retry_after is None and seconds.isdecimal() else retry_after,
        supergroup=_parameter(body, "migrate_to_chat_id"),
    )


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
