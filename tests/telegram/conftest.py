from collections.abc import Iterator

import pytest
from django.utils import timezone, translation

from telegram import chats
from telegram.models import Bot, Chat
from tests.helpers.bot_api import BOT, TOKEN, BotAPI
from tests.helpers.telegram_messages import GROUP


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def telegram_api(settings) -> Iterator[BotAPI]:
    """Telegram, as the service reaches it."""
    with BotAPI() as api:
        settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = api.url, api.token
        yield api


@pytest.fixture
def group(settings, db) -> Chat:
    """The allowed chat GROUP, in English, of a bot whose name is known."""
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_INTAKE_CHATS = TOKEN, [str(GROUP["id"])]
    Bot.objects.create(
        pk=BOT["id"], username=BOT["username"], can_read_all_group_messages=True, checked_at=timezone.now()
    )
    chats.add_configured()
    Chat.objects.update(language="en")
    return Chat.objects.get()
