"""`telegram_status` says what works, what does not, and how to mend it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from core.models import Heartbeat
from incidents.attachments.services import fail_attachment
from incidents.models import Attachment, Channel
from intake.models import Delivery
from telegram import chats
from telegram.models import Bot, Card, Chat, File
from telegram.status import last_poll_age, oldest_unsent_age
from tests.helpers.bot_api import BOT
from tests.helpers.incidents import make_incident
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def chat(telegram_api):
    telegram_api.add_chat(GROUP)
    chat = chats.add(BOT["id"], GROUP["id"]).chat
    Chat.objects.update(allowed=True, title="Ops")
    Heartbeat.objects.create(job="telegram_poll", ran_at=timezone.now())
    return chat


def status():
    output = StringIO()
    call_command("telegram_status", stdout=output, no_color=True)
    return output.getvalue()


def problems():
    return [line.removeprefix("PROBLEM  ") for line in status().splitlines() if line.startswith("PROBLEM")]


def test_all_is_well(chat):
    assert problems() == []
    assert "ok       The bot is @our_bot." in status()
    assert "ok       Ops (-1001234567890): the bot may read and write (member)." in status()


def test_without_a_token():
    assert problems() == ["Telegram is off."]


def test_a_wrong_token(chat, telegram_api):
    telegram_api.token = "1:x"
    (problem,) = problems()
    assert "401 Unauthorized" in problem


@pytest.mark.parametrize(
    ("age", "said"), [(360, "6 minutes ago"), (3600, "1 hour ago"), (7200, "2 hours ago"), (86400, "1 day ago")]
)
def test_polls_that_stopped(chat, age, said):
    Heartbeat.objects.update(ran_at=timezone.now() - timedelta(seconds=age))
    (problem,) = problems()
    assert said in problem
    assert age <= last_poll_age() < age + 60


@pytest.mark.parametrize(
    ("age", "said"),
    [(0.5, "0 seconds"), (1.5, "1 second"), (59.5, "59 seconds"), (60, "1 minute"), (179, "2 minutes")],
)
def test_ages_in_words(chat, age, said, monkeypatch):
    monkeypatch.setattr("telegram.status.last_poll_age", lambda: age)
    assert f"Telegram was asked for updates {said} ago." in status()


def test_a_conflict_with_another_program(chat):
    Bot.objects.create(
        pk=BOT["id"],
        username="our_bot",
        can_read_all_group_messages=True,
        checked_at=timezone.now(),
        trouble="getUpdates: 409 Conflict: terminated by other getUpdates request",
    )
    assert "409 Conflict" in problems()[0]
    assert "stop it, or give it another token" in status()


def test_a_webhook_that_another_program_set(chat, telegram_api):
    telegram_api.webhook["url"] = "https://elsewhere.example.org/"
    assert "another program" in problems()[0]
    assert "--remove-webhook" in status()


def test_a_webhook(chat, telegram_api, settings):
    settings.TELEGRAM_WEBHOOK_URL = "https://example.org/api/v1/intake/telegram/"
    assert problems() == ["The webhook is not registered."]
    telegram_api.webhook["url"] = settings.TELEGRAM_WEBHOOK_URL
    assert problems() == []
    assert last_poll_age() is None


def test_privacy_mode(chat, telegram_api):
    telegram_api.me["can_read_all_group_messages"] = False
    assert "privacy mode" in problems()[0]
    telegram_api.members[GROUP["id"]] = "administrator"
    assert problems() == []
    telegram_api.members[GROUP["id"]] = "member"
    Chat.objects.update(mode="command")
    assert problems() == []


@pytest.mark.parametrize(
    ("membership", "said"), [("kicked", "not a member"), ("left", "not a member"), ("restricted", "may not write")]
)
def test_rights_in_a_chat(chat, telegram_api, membership, said):
    telegram_api.members[GROUP["id"]] = membership
    assert said in problems()[0]


def test_chats_at_rest(chat):
    Chat.objects.update(pause_reason="CHAT_WRITE_FORBIDDEN")
    assert "CHAT_WRITE_FORBIDDEN" in problems()[0]
    Chat.objects.update(pause_reason="", paused_until=timezone.now() + timedelta(hours=5))
    assert "takes nothing before" in problems()[0]


def test_chats_that_are_not_allowed(chat):
    Chat.objects.update(allowed=False, ignored=7)
    assert problems()[1:] == ["The chat Ops (-1001234567890) is not allowed; 7 of its updates were ignored."]


def test_what_waits_and_what_failed(chat):
    for fields in ({"due_at": timezone.now() - timedelta(hours=1)}, {"state": "failed"}):
        Card.objects.create(incident=make_incident(), chat=chat, **fields)
    Delivery.objects.create(channel=Channel.TELEGRAM, external_id="1", body=b"", state="faulty")
    assert problems() == [
        "Cards that wait to be sent: 1, the oldest for 1 hour.",
        "Cards that failed: 1.",
        "Updates that were not understood: 1.",
    ]
    assert 3600 <= oldest_unsent_age() < 3660


def test_files_that_wait_and_that_failed(chat):
    for number in (10, 11):
        write(message_id=number, document={"file_id": f"id{number}", "file_unique_id": f"unique{number}"})
    assert "ok       Files that wait to be fetched: 2." in status()
    waiting, failed = Attachment.objects.order_by("id")
    Attachment.objects.update(created_at=timezone.now() - timedelta(hours=1))
    File.objects.filter(attachment=waiting).update(error="getFile: 502 Bad Gateway")
    fail_attachment(failed, "The file is larger than 20 MB.")
    assert problems() == [
        "Files that wait to be fetched: 1, the oldest for 1 hour. The last attempt: getFile: 502 Bad Gateway.",
        "Files that could not be fetched: 1.",
    ]


def test_a_notify_chat_that_is_no_id(chat, settings):
    settings.TELEGRAM_NOTIFY_CHAT = "@incidents"
    assert problems() == ["TELEGRAM_NOTIFY_CHAT is no chat's id."]


def test_nothing_waits(chat):
    assert oldest_unsent_age() == 0
