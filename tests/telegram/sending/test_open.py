"""/open lists what is open in a chat."""

import pytest

from telegram.bot_api.client import length
from telegram.models import Card, Chat
from telegram.sending.sender import show_open
from tests.helpers.telegram_messages import GROUP

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def listed(service, chat, thread_id=None):
    Card.objects.update(due_at=None)
    show_open(chat, thread_id)
    service.run(3)
    return service.sent[-1]["text"].splitlines()


def test_oldest_first_with_their_statuses(service, chat, private):
    cards = [service.report(chat, text) for text in ("one", "two", "three", "four")]
    service.report(private, "elsewhere")
    service.change(cards[1], status="in_progress")
    service.change(cards[2], status="closed")
    heading, *lines = listed(service, chat)
    assert heading == "3 incidents are open:"
    assert [line.split(" · ")[1::2] for line in lines] == [["Open", "one"], ["In progress", "two"], ["Open", "four"]]


def test_where_nothing_is_open(service, chat):
    assert listed(service, chat) == ["Nothing is open in this chat."]


def test_in_russian(service):
    assert listed(service, service.add_chat(language="ru")) == ["В этом чате нет открытых инцидентов."]


def test_in_its_topic_or_the_chat(service, chat):
    service.api.topics[GROUP["id"], 5] = "open"
    listed(service, chat, 5)
    listed(service, chat, 6)
    assert [call.get("message_thread_id") for call in service.sent] == [5, 6, None]


def test_what_does_not_fit_is_counted(service, chat):
    for _ in range(120):
        service.report(chat, "x" * 500)
    lines = listed(service, chat)
    assert length("\n".join(lines)) <= 4096
    assert lines[-1] == f"… and {120 - len(lines) + 2} more"


def test_once_and_not_when_it_is_too_late(service, chat):
    listed(service, chat)
    service.run()
    service.api.members[GROUP["id"]] = "kicked"
    listed(service, chat)
    service.clock.pass_(3600)
    Chat.objects.update(pause_reason="")
    service.run()
    assert len(service.sent) == 2


def test_after_a_fault_of_telegram(service, chat):
    service.api.fail("sendMessage", 502)
    show_open(chat)
    service.run()
    assert len(service.shown) == 1
