import logging

import pytest
from django.test import override_settings

from telegram.bot_api import client
from telegram.bot_api.alerts import TelegramHandler
from tests.helpers.bot_api import TOKEN, ScriptedBotAPI


@pytest.fixture
def telegram():
    with ScriptedBotAPI() as server:
        with override_settings(
            TELEGRAM_API_URL=server.url, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_LOGGING_CHAT="-1001234567890"
        ):
            yield server
        server.released.set()


@pytest.fixture
def alerts(telegram, monkeypatch):
    """The Bot API server, and a handler of the root logger that waits less than production's."""
    for name in ("DEBOUNCE_SECONDS", "FIRST_BACKOFF_SECONDS"):
        monkeypatch.setattr(TelegramHandler, name, 0.1)
    monkeypatch.setattr(TelegramHandler, "SHUTDOWN_SECONDS", 0.5)
    monkeypatch.setattr(client.limiter, "free_at", lambda chat: 0.0)
    others = [handler for handler in logging.getLogger().handlers if not isinstance(handler, TelegramHandler)]
    telegram.handler = TelegramHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [*others, telegram.handler])
    yield telegram
    telegram.released.set()
    telegram.handler.close()
