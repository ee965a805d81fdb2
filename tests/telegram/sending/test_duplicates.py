"""The card of a duplicate names the main incident, whose card tells how many it has."""

import pytest

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from telegram.models import Card
from tests.helpers.telegram_messages import GROUP

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def cards(service):
    """Of a duplicate and its main incident, in two chats, as they are shown."""
    chats = [service.add_chat({**GROUP, "id": GROUP["id"] - number}, remind_after_minutes=60) for number in range(2)]
    duplicate, main = map(service.report, chats)
    service.run()
    link(service, duplicate, main)
    service.run(20)
    return duplicate, main


def link(service, duplicate, main):
    service.clock.pass_(60)
    incident = Incident.objects.get(pk=duplicate.incident_id)
    values = {"status": "closed"}
    return change_incident(incident, values=values, actor=Named("Пётр"), channel="admin", duplicate_of=main.incident_id)


def lines(service, card):
    card.refresh_from_db()
    (text,) = [text for text in service.shown if text.startswith(f"№ {card.incident_id} ")]
    return text.splitlines()


def test_both_chats_are_told(service, cards):
    duplicate, main = cards
    assert lines(service, duplicate)[:2] == [
        f"№ {duplicate.incident_id} · Closed",
        f"Duplicate of № {main.incident_id}",
    ]
    assert "Duplicates: 1" in lines(service, main)
    assert lines(service, main)[0] == f"№ {main.incident_id} · Open"
    assert (len(service.sent), len(service.edits)) == (2, 2)


def test_a_press_that_reopens_it_takes_the_words_away(service, cards):
    service.change(cards[0], status="open")
    service.run(20)
    for card in cards:
        assert not any("Duplicate" in line for line in lines(service, card))


def test_only_the_main_incident_is_reminded_of(service, cards):
    duplicate, main = (Card.objects.get(pk=card.pk) for card in cards)
    assert duplicate.remind_at is None
    assert main.remind_at is not None


def test_in_russian(service, cards):
    duplicate, main = cards
    type(duplicate.chat).objects.update(language="ru")
    service.change(duplicate, description="x")
    service.run(20)
    assert lines(service, duplicate)[1] == f"Дубликат № {main.incident_id}"
