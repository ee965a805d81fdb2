"""manage.py send_test_alert"""

import pytest
from django.core.management import CommandError, call_command

from tests.helpers.bot_api import TOKEN, refusal


def test_test_alert_arrives(telegram, capsys):
    call_command("send_test_alert")
    assert "test alert" in telegram.message()
    assert capsys.readouterr().out == "Sent to chat -1001234567890.\n"


@pytest.mark.parametrize(
    ("fault", "advice"),
    [(refusal(401, "Unauthorized"), "Check the token"), (refusal(500, "Oops"), "Try again later")],
)
def test_failure_says_what_to_do(telegram, fault, advice):
    telegram.faults = [fault]
    with pytest.raises(CommandError, match=advice) as caught:
        call_command("send_test_alert")
    assert fault[1]["description"] in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_missing_configuration_is_named():
    with pytest.raises(CommandError, match=r"TELEGRAM_BOT_TOKEN .* TELEGRAM_LOGGING_CHAT"):
        call_command("send_test_alert")
