import pytest
from django.core.management import call_command

from telegram.bot_api.checks import check_telegram
from tests.helpers.bot_api import TOKEN


@pytest.mark.parametrize(
    ("token", "chat", "url", "warnings"),
    [
        ("", "", "https://api.telegram.org", []),
        (TOKEN, "123456789", "https://api.telegram.org", []),
        (TOKEN, "-1001234567890", "http://localhost:8081", []),
        (TOKEN, "@incidents", "https://api.telegram.org", []),
        (TOKEN, "", "https://api.telegram.org", ["core.W001"]),
        ("", "123456789", "https://api.telegram.org", ["core.W002"]),
        ("bot" + TOKEN, "123456789", "https://api.telegram.org", ["core.W003"]),
        (TOKEN[:20], "123456789", "https://api.telegram.org", ["core.W003"]),
        (TOKEN, "incidents", "https://api.telegram.org", ["core.W004"]),
        (TOKEN, "123456789", "api.telegram.org", ["core.W005"]),
    ],
)
def test_misconfigured_alerts_are_warnings(settings, token, chat, url, warnings):
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_LOGGING_CHAT, settings.TELEGRAM_API_URL = token, chat, url
    found = check_telegram()
    assert [warning.id for warning in found] == warnings
    assert all(warning.hint and token not in warning.msg + warning.hint for warning in found if token)


def test_check_command_prints_them(settings, capsys):
    settings.TELEGRAM_LOGGING_CHAT = "123456789"
    call_command("check")
    assert "core.W002" in capsys.readouterr().err
