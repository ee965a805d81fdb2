"""/open asks once for what is open in the chat."""

import pytest

from intake.inbox import process_pending, replay
from intake.models import Delivery
from telegram.sending import sender
from tests.helpers.updates import deliveries, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def asked(monkeypatch):
    asked = []
    monkeypatch.setattr(sender, "show_open", lambda *args: asked.append(args))
    return asked


def test_open_is_asked_for_in_its_topic(group, asked):
    write(text="/open@our_bot", is_topic_message=True, message_thread_id=5)
    assert asked == [(group, 5)]
    assert deliveries() == [("skipped", "a command")]


def test_a_replay_does_not_ask_again(group, asked):
    write(text="/open")
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    process_pending()
    assert len(asked) == 1


def test_another_bot_may_not_ask(group, asked):
    write(text="/open", **{"from": {"id": 5, "is_bot": True, "first_name": "Grafana"}})
    assert asked == []
