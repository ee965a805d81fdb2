import pytest

from telegram.receiving.checks import check_telegram_intake
from tests.helpers.bot_api import TOKEN

URL = "https://incidents.example.org/api/v1/intake/telegram/"


@pytest.mark.parametrize(
    ("token", "chats", "url", "secret", "found"),
    [
        ("", [], "", "", []),
        (TOKEN, ["-1001234567890", "5"], "", "", []),
        (TOKEN, ["-1001234567890"], URL, "s3cr3t_-A", []),
        (TOKEN, [], URL, "", ["telegram.E001"]),
        (TOKEN, [], URL, "a b", ["telegram.E002"]),
        (TOKEN, [], URL, "a" * 257, ["telegram.E002"]),
        (TOKEN, [], "incidents.example.org", "s3cr3t", ["telegram.E003"]),
        ("", ["5"], "", "", ["telegram.W001"]),
        (TOKEN, ["@ops", "5"], "", "", ["telegram.W002"]),
    ],
)
def test_misconfigured_intake_is_told(settings, token, chats, url, secret, found):
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_INTAKE_CHATS = token, chats
    settings.TELEGRAM_WEBHOOK_URL, settings.TELEGRAM_WEBHOOK_SECRET = url, secret
    assert [message.id for message in check_telegram_intake()] == found


@pytest.mark.parametrize(
    ("token", "chat", "found"),
    [
        (TOKEN, "-1001234567890", []),
        (TOKEN, "@incidents", ["telegram.W004"]),
        ("", "-1001234567890", ["telegram.W003"]),
    ],
)
def test_a_misconfigured_notify_chat_is_told(settings, token, chat, found):
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_NOTIFY_CHAT = token, chat
    assert [message.id for message in check_telegram_intake()] == found
