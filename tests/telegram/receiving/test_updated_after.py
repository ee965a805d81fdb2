"""Messages that waited, and those of an export, are listed by when they were recorded."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from telegram.models import Card
from telegram.sending.sender import render
from tests.helpers.telegram_messages import DATE
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def listed_since(api, asked):
    return [one["description"] for one in api.get("/api/v1/incidents/?updated_after=" + asked).json()["results"]]


@pytest.fixture
def asked():
    return timezone.now().isoformat().replace("+", "%2B")


def test_message_that_waited(api, group, asked):
    write(text="Насос 3 стоит")
    assert listed_since(api, asked) == ["Насос 3 стоит"]


def test_message_of_an_export(api, group, asked, tmp_path):
    entry = {"id": 1, "type": "message", "date_unixtime": str(DATE), "text": "Насос", "from": "A", "from_id": "user7"}
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"name": "Ops", "type": "private_supergroup", "id": 1234567890, "messages": [entry]}))
    call_command("import_telegram", str(file))
    assert listed_since(api, asked) == ["Насос"]


def test_card_tells_of_changes_only(group):
    write(text="Насос 3 стоит")
    assert "Changed:" not in render(Card.objects.get(), 0)[0]
    change_incident(Incident.objects.get(), values={"status": "closed"}, actor=Named("a"), channel="api")
    assert "Changed:" in render(Card.objects.get(), 0)[0]
