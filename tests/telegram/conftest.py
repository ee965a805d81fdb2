from collections.abc import Iterator

import pytest
from django.utils import translation

from tests.helpers.bot_api import BotAPI


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
