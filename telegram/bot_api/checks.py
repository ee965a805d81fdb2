"""
System checks of the settings of alerts.

They are warnings: the service works without alerts.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

TOKEN = re.compile(r"\d+:[\w-]{30,}", re.ASCII)
CHAT = re.compile(r"-?\d+|@[A-Za-z]\w{3,}", re.ASCII)


@checks.register
def check_telegram(**kwargs: Any) -> list[checks.CheckMessage]:
    return list(_telegram())


def _telegram() -> Iterator[checks.CheckMessage]:
    token, chat = settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_LOGGING_CHAT
    if token and not chat:
        yield checks.Warning(
            "TELEGRAM_BOT_TOKEN is set, TELEGRAM_LOGGING_CHAT is not: critical errors are not sent.",
            hint="Set TELEGRAM_LOGGING_CHAT to the id that @userinfobot shows.",
            id="core.W001",
        )
    if chat and not token:
        yield checks.Warning(
            "TELEGRAM_LOGGING_CHAT is set, TELEGRAM_BOT_TOKEN is not: critical errors are not sent.",
            hint="Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.",
            id="core.W002",
        )
    if token and not TOKEN.fullmatch(token):
        yield checks.Warning(
            "TELEGRAM_BOT_TOKEN does not look like a bot's token.",
            hint="Copy the whole token from @BotFather: digits, a colon, 35 letters, digits, - and _.",
            id="core.W003",
        )
    if chat and not CHAT.fullmatch(chat):
        yield checks.Warning(
            "TELEGRAM_LOGGING_CHAT does not look like a chat's id.",
            hint="Set it to a number, as @userinfobot shows it (a group's begins with -), or to a channel's @name.",
            id="core.W004",
        )
    url = urlsplit(settings.TELEGRAM_API_URL)
    if url.scheme not in ("http", "https") or not url.hostname:
        yield checks.Warning(
            "TELEGRAM_API_URL is not an HTTP URL.",
            hint="Leave it out, or set it to the URL of your own Bot API server, such as http://localhost:8081.",
            id="core.W005",
        )
