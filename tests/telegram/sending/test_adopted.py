"""A card whose sending had no known outcome, and that turns out to be in the chat, is taken for sent."""

import json

import pytest

from incidents.models import Incident
from telegram.models import Card, Chat
from telegram.receiving import updates
from tests.helpers.telegram_messages import ANNA, GROUP, message

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def take(service):
    for update in service.api.pending:
        updates.take(json.dumps(update).encode())
        service.api._confirm(update["update_id"] + 1)


def press(service, shown, data=None):
    service.api.press(shown, data or shown["reply_markup"]["inline_keyboard"][0][-1]["callback_data"], ANNA)
    take(service)


def reply(service, shown, message_id=50, text="Еду", **fields):
    service.api.write(**message(message_id=message_id, text=text, reply_to_message=shown, **fields))
    take(service)


@pytest.fixture
def card(service, chat):
    """Sent twice, and failed, since both responses were lost."""
    for _ in range(2):
        service.api.lose("sendMessage")
    card = service.report(chat)
    service.run(30)
    card.refresh_from_db()
    assert (len(service.shown), card.state, card.message_id) == (2, "failed", None)
    return card


@pytest.fixture
def shown(service, card):
    """The card's messages in the chat."""
    return list(service.api.messages.values())


def outcome(card):
    card.refresh_from_db()
    return card.message_id, card.state == "failed", card.error, card.due_at


def test_by_a_press(service, card, shown):
    press(service, shown[0])
    service.run()
    assert outcome(card) == (shown[0]["message_id"], False, "", None)
    assert (len(service.sent), service.shown[0].split("\n")[0]) == (2, f"№ {card.incident_id} · Closed")


def test_by_a_reply_which_is_a_comment(service, card, shown):
    reply(service, shown[1])
    service.run()
    assert outcome(card) == (shown[1]["message_id"], False, "", None)
    assert (len(service.sent), Incident.objects.count()) == (2, 1)
    assert card.incident.changes.last().changes == {"comment": [None, "Еду"]}


def test_by_a_reply_that_shows_no_buttons(service, card, shown):
    reply(service, {key: value for key, value in shown[0].items() if key != "reply_markup"})
    assert outcome(card)[:2] == (shown[0]["message_id"], False)


def test_by_an_outdated_button(service, card, shown):
    service.change(card, status="resolved")
    press(service, shown[0])
    service.run()
    assert outcome(card)[:2] == (shown[0]["message_id"], False)
    assert service.shown[0].startswith(f"№ {card.incident_id} · Resolved")


def test_before_the_repeat_there_is_none(service, chat):
    service.api.lose("sendMessage")
    card = service.report(chat)
    service.run(1)
    press(service, next(iter(service.api.messages.values())))
    service.run(60, every=5)
    assert (len(service.sent), outcome(card)[1]) == (1, False)


def test_the_first_of_its_messages_stays_the_card(service, card, shown):
    press(service, shown[0])
    reply(service, shown[1])
    assert outcome(card)[0] == shown[0]["message_id"]


def test_in_the_chat_of_notifications(service, chat, card, shown, settings):
    settings.TELEGRAM_NOTIFY_CHAT = str(GROUP["id"])
    Chat.objects.update(allowed=False)
    reply(service, shown[0])
    assert outcome(card)[0] == shown[0]["message_id"]


@pytest.mark.parametrize(
    "other",
    [
        {"from": ANNA},
        {"from": {"id": 5, "is_bot": True, "first_name": "Other"}},
        {"from": None, "reply_markup": None},
        {"message_id": 0},
        {"text": "7 incidents are open:", "reply_markup": None},
        {"text": "№ 99999999999999999999 · Open", "reply_markup": None},
        {"reply_markup": {"inline_keyboard": [[{"callback_data": 7}, "x"], None, {}]}, "text": None},
        {"reply_markup": [], "text": 7},
    ],
)
def test_not_by_a_reply_to_another_message(service, card, shown, other):
    fake = {key: value for key, value in (shown[0] | other).items() if value is not None}
    reply(service, fake)
    assert outcome(card)[:2] == (None, True)


def test_not_by_anothers_card(service, chat, card):
    other = service.report(chat, "Другое")
    service.run()
    other.refresh_from_db()
    press(service, service.api.messages[GROUP["id"], other.message_id], f"1:{card.incident_id}:open:closed")
    assert outcome(card)[0] is None


def test_not_what_was_refused(service, chat):
    service.api.fail("sendMessage", 400, "something new")
    card = service.report(chat)
    service.run()
    fake = message(message_id=77, text=f"№ {card.incident_id} · Open", **{"from": service.api.me})
    reply(service, fake)
    assert outcome(card)[:2] == (None, True)


def test_not_in_another_chat(service, chat, private, card, shown):
    other = Card.objects.create(incident=card.incident, chat=private, state="failed", error="lost", sends_unknown=2)
    press(service, shown[0])
    assert outcome(other)[0] is None
