"""A card's state: its changes as docs/architecture.md has them in a table, and rows of the release before."""

import inspect
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from telegram import card_states
from telegram.models import Card

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TABLE = re.compile(r"^\| ([^|`]*`[^|]+) \| [^|]+ \| `(\w+)` \| `(\w+)` \|", re.MULTILINE)
CHANGES = [
    (before, function, after)
    for origins, function, after in TABLE.findall(Path(settings.BASE_DIR, "docs/architecture.md").read_text())
    for before in origins.replace("`", "").split(", ")
]
CARDS = {
    "new": {"due": True},
    "sending": {"due": True, "began": True},
    "sending again": {"due": True, "began": True, "sends_unknown": 1},
    "unknown": {"due": True, "sends_unknown": 1},
    "shown": {"message_id": 5},
    "shown in the former group": {"message_id": -5},
    "outdated": {"due": True, "message_id": 5},
    "failed": {"error": "something new"},
    "failed in the chat": {"error": "something new", "message_id": 5},
    "failed as unknown": {"error": "Twice", "sends_unknown": 2},
}


def make(service, chat, kind):
    columns = dict(CARDS[kind])
    card = service.report(chat, state=kind.split()[0])
    due, began = (service.clock.now if columns.pop(name, False) else None for name in ("due", "began"))
    Card.objects.filter(pk=card.pk).update(due_at=due, send_began_at=began, **columns)
    card.refresh_from_db()
    return card


def call(function, card, now):
    cards = Card.objects.filter(pk=card.pk)
    match function:
        case "sent":
            card_states.sent(card, 7, shows=now)
        case "shown":
            card_states.shown(card, shows=now)
        case "fail":
            card_states.fail(card, "something new", shows=now)
        case "outdate":
            card_states.outdate(cards, now + timedelta(seconds=1))
        case "retry" | "leave_group":
            getattr(card_states, function)(cards)
        case "adopt":
            card_states.adopt(card.chat.aliases.get(), card.incident_id, 7)
        case _:
            getattr(card_states, function)(card)


def contradictory():
    return Card.objects.exclude(state=card_states.BY_COLUMNS)


@pytest.mark.parametrize(("before", "function", "after"), CHANGES)
def test_each_change_of_the_table(service, chat, before, function, after):
    card = make(service, chat, before)
    assert not contradictory().exists()
    call(function, card, service.clock.now)
    card.refresh_from_db()
    assert card.state == after
    assert not contradictory().exists()


def test_the_table_has_each_state_and_function():
    functions = {name for name, function in inspect.getmembers(card_states, inspect.isfunction)
                 if function.__module__ == card_states.__name__ and not name.startswith("_")}  # fmt: skip
    assert {function for _, function, _ in CHANGES} == functions - {"correct"}
    assert {after for _, _, after in CHANGES} == set(Card.State.values)
    assert {before for before, _, _ in CHANGES} == CARDS.keys()


@pytest.mark.parametrize("kind", CARDS)
def test_what_the_release_before_wrote_is_corrected(service, chat, kind):
    card = make(service, chat, kind)
    Card.objects.update(state="new" if kind != "new" else "failed")
    card_states.correct(None)
    card.refresh_from_db()
    assert card.state == kind.split()[0]


def test_a_card_that_the_release_before_sent_beside_this_one_follows_its_incident(service, chat):
    card = service.report(chat)
    service.run()
    Card.objects.update(state="new")
    service.change(card, status="closed")
    service.run()
    assert (len(service.sent), len(service.edits), Card.objects.get().state) == (1, 1, "shown")


def test_what_the_release_before_is_sending_beside_this_one_is_waited_for(service, chat):
    service.run()
    card = service.report(chat)
    Card.objects.filter(pk=card.pk).update(send_began_at=service.clock.now)
    service.run(30)
    assert service.sent == []
    service.run(60)
    assert (len(service.sent), Card.objects.get().state) == (1, "shown")


def test_what_is_sent_and_due_again_meanwhile_is_outdated(service, chat):
    card = make(service, chat, "sending")
    card_states.outdate(Card.objects.filter(pk=card.pk), service.clock.now + timedelta(seconds=1))
    assert Card.objects.get().state == "sending"
    card_states.sent(card, 7, shows=service.clock.now)
    assert Card.objects.get().state == "outdated"


def test_a_process_that_dies_lets_no_card_be_sent_a_third_time(service, chat, monkeypatch):
    card = make(service, chat, "sending again")
    monkeypatch.setattr(card_states, "fail", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        card_states.lost(card)
    card = Card.objects.select_related("chat").get()
    assert (card.state, card.sends_unknown) == ("sending", 1)
    monkeypatch.undo()
    assert not card_states.lost(card)
    assert Card.objects.get().state == "failed"


def test_what_is_adopted_just_before_the_call_is_not_sent_again(service, chat):
    card = make(service, chat, "unknown")
    call("adopt", card, service.clock.now)
    assert not card_states.begin(card)
    assert (Card.objects.get().state, Card.objects.get().send_began_at) == ("outdated", None)


def test_what_is_adopted_meanwhile_is_not_lost(service, chat):
    card = make(service, chat, "sending")
    call("adopt", card, service.clock.now)
    assert not card_states.lost(card)
    card_states.put_back(card)
    assert (Card.objects.get().state, Card.objects.get().message_id) == ("outdated", 7)
