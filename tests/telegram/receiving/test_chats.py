"""Which chats are allowed, and what the bot may do there."""

from datetime import timedelta

import pytest
from django.utils import timezone

from incidents.models import Incident
from intake.models import Delivery
from telegram import chats
from telegram.models import Chat
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import descriptions, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OTHER = {"id": -1005556667778, "type": "supergroup", "title": "Чужие"}


def member(status="member", date=1705314600, **fields):
    changed = {"chat": OTHER, "date": date, "new_chat_member": {"status": status, **fields}}
    return take("my_chat_member", changed)


def other():
    return Chat.objects.get(telegram_id=OTHER["id"])


def test_a_chat_that_is_not_allowed_is_counted_and_logged_once_an_hour(group, caplog):
    for number in range(3):
        write(chat=OTHER, message_id=number + 1, text="тайна")
    assert not Delivery.objects.exists() and not Incident.objects.exists()
    assert (other().ignored, other().allowed, other().title) == (3, False, "Чужие")
    assert [str(OTHER["id"]) in line for line in caplog.messages] == [True]
    assert "тайна" not in caplog.text
    Chat.objects.update(ignored_logged_at=timezone.now() - timedelta(minutes=61))
    write(chat=OTHER, text="x")
    assert len(caplog.messages) == 2


def test_a_bot_that_is_added_shows_the_chat_in_the_admin(group):
    member()
    assert (other().title, other().allowed, other().membership) == ("Чужие", False, "member")
    assert not Delivery.objects.exists()


def test_an_allowed_chat_is_taken(group):
    member()
    Chat.objects.update(allowed=True)
    write(chat=OTHER, text="x")
    assert descriptions() == ["x"]


def test_configured_chats_are_shown_before_they_write(group, settings):
    settings.TELEGRAM_INTAKE_CHATS = [str(OTHER["id"]), "@ops"]
    chats.add_configured()
    assert other().allowed


@pytest.mark.parametrize(
    ("status", "can_send", "is_admin"),
    [("administrator", True, True), ("left", False, False), ("kicked", False, False)],
)
def test_what_the_bot_may_do_is_known(group, settings, status, can_send, is_admin):
    settings.TELEGRAM_INTAKE_CHATS += [str(OTHER["id"])]
    member(status)
    assert (other().membership, other().can_send, other().is_admin) == (status, can_send, is_admin)
    assert Delivery.objects.get().state == "processed"


def test_an_older_change_that_comes_late_is_left_out(group):
    member("kicked", date=1705314700)
    member("member", date=1705314600)
    assert other().membership == "kicked"


def test_a_chat_that_rests_for_its_rights_is_tried_again_when_they_change(group):
    member("kicked")
    later = timezone.now() + timedelta(hours=1)
    Chat.objects.update(paused_until=later, pause_reason="kicked")
    member("member", date=1705314700)
    assert (other().pause_reason, other().paused_until) == ("", None)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "kicked"},
        {"status": "left"},
        {"status": "restricted", "is_member": True, "can_send_messages": False},
        {"status": "restricted", "is_member": False, "can_send_messages": True},
    ],
)
def test_a_chat_that_rests_is_not_tried_again_while_the_bot_may_not_send(group, change):
    member()
    Chat.objects.update(pause_reason="Forbidden: bot was kicked")
    member(**change, date=1705314700)
    assert other().pause_reason
    member("restricted", is_member=True, can_send_messages=True, date=1705314800)
    assert other().pause_reason == ""


def test_a_chat_that_was_told_to_wait_waits(group):
    member("kicked")
    later = timezone.now() + timedelta(hours=1)
    Chat.objects.update(paused_until=later)
    member("member", date=1705314700)
    assert other().paused_until == later


def test_a_new_title_is_taken(group):
    write(chat=GROUP | {"title": "Дежурные"}, text="x")
    assert Chat.objects.get(pk=group.pk).title == "Дежурные"
