"""The upgrade from a release whose cards have no state, and which serves while the migrations run."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from incidents.models import Incident
from telegram.models import Card, Chat

pytestmark = pytest.mark.django_db(transaction=True)

DUE = "2026-03-01 12:00:00+00:00"
CARDS = {
    "new": {"due_at": DUE},
    "sending": {"due_at": DUE, "send_began_at": DUE},
    "unknown": {"due_at": DUE, "sends_unknown": 1},
    "shown": {"message_id": 5},
    "outdated": {"due_at": DUE, "message_id": 6},
    "failed": {"error": "something new", "failed": True},
}


def incident():
    """Without a history, which SQLite would not let the test delete."""
    now = timezone.now()
    return Incident.objects.create(description="x", source="operator", created_at=now, updated_at=now)


def write(chat, incident, **fields):
    """As the previous release did."""
    columns = {"sends_unknown": 0, "failures": 0, "error": "", "failed": False, "replaced": False}
    columns |= {"outside_topic": False, "chat_id": chat.pk, "incident_id": incident.pk} | fields
    with connection.cursor() as cursor:
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        cursor.execute(f"INSERT INTO telegram_card ({names}) VALUES ({marks})", list(columns.values()))


@pytest.fixture
def chat():
    chat = Chat.objects.create(bot_id=1, telegram_id=-1, pause_reason="kicked")
    call_command("migrate", "telegram", "0006", verbosity=0)
    yield chat
    call_command("migrate", verbosity=0)


@pytest.mark.both_databases
def test_cards_get_the_state_that_their_columns_tell(chat):
    incidents = {state: incident() for state in CARDS}
    for state, fields in CARDS.items():
        write(chat, incidents[state], **fields)
    call_command("migrate", "telegram", verbosity=0)
    found = dict(Card.objects.values_list("incident", "state"))
    assert found == {incidents[state].pk: state for state in CARDS}
    assert Chat.objects.get().pause_reason == "kicked"


def test_the_previous_release_writes_on(chat):
    call_command("migrate", "telegram", verbosity=0)
    write(chat, incident(), **CARDS["new"])
    assert Card.objects.get().state == "new"
