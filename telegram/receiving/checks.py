"""Misconfigured intake from Telegram, told by `manage.py check` and by every other command."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from telegram.chats import ID

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@checks.register
def check_telegram_intake(**kwargs: Any) -> list[checks.CheckMessage]:
    return list(_intake())


def _intake() -> Iterator[checks.CheckMessage]:
    url, secret = settings.TELEGRAM_WEBHOOK_URL, settings.TELEGRAM_WEBHOOK_SECRET
    if url and not secret:
        yield checks.Error(
            "TELEGRAM_WEBHOOK_URL is set, TELEGRAM_WEBHOOK_SECRET is not: every client could post reports.",
            hint="Set TELEGRAM_WEBHOOK_SECRET to a long random string.",
            id="telegram.E001",
        )
    if secret and not SECRET.fullmatch(secret):
        yield checks.Error(
            "TELEGRAM_WEBHOOK_SECRET has characters that Telegram does not take, or more than 256.",
            hint="Use letters of the Latin alphabet, digits, _ and -.",
            id="telegram.E002",
        )
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        yield checks.Error(
            "TELEGRAM_WEBHOOK_URL is not an address.",
            hint="Set it to https://HOST/api/v1/intake/telegram/, or leave it out to poll.",
            id="telegram.E003",
        )
    if (settings.TELEGRAM_INTAKE_CHATS or url) and not settings.TELEGRAM_BOT_TOKEN:
        yield checks.Warning(
            "Chats are set to be read, TELEGRAM_BOT_TOKEN is not: nothing is read.",
            hint="Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.",
            id="telegram.W001",
        )
    if wrong := [item for item in settings.TELEGRAM_INTAKE_CHATS if not ID.fullmatch(item)]:
        yield checks.Warning(
            f"TELEGRAM_INTAKE_CHATS has what is no id: {', '.join(wrong)}.",
            hint="Write the chats' numbers, which begin with - for groups: the admin and the log show them.",
            id="telegram.W002",
        )
    notify = settings.TELEGRAM_NOTIFY_CHAT
    if notify and not settings.TELEGRAM_BOT_TOKEN:
        yield checks.Warning(
            "TELEGRAM_NOTIFY_CHAT is set, TELEGRAM_BOT_TOKEN is not: incidents are shown in no chat.",
            hint="Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.",
            id="telegram.W003",
        )
    if notify and not ID.fullmatch(notify):
        yield checks.Warning(
            "TELEGRAM_NOTIFY_CHAT is no chat's id: incidents are shown in no chat.",
            hint="Write the chat's number, which begins with - for groups: the admin shows it.",
            id="telegram.W004",
        )
