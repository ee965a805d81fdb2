"""A chat from the report to the last press, by the updates that Telegram sends."""

import json

import pytest

from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from telegram.receiving import updates
from tests.helpers.telegram_messages import ANNA, message
from tests.helpers.updates import wait_for_answers

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def dialogue(service, chat, settings, django_capture_on_commit_callbacks):
    settings.TELEGRAM_REMIND_AFTER_MINUTES = 60
    service.committing = django_capture_on_commit_callbacks
    service.api.write(**message(text="Насос 3 стоит"))
    take(service)
    service.run()
    return service


def take(service):
    for update in service.api.pending:
        with service.committing(execute=True):  # presses are answered after the commit
            updates.take(json.dumps(update).encode())
        service.api._confirm(update["update_id"] + 1)
    wait_for_answers()


def press(service, row=-1, button=0):
    """A button of the newest message."""
    newest = list(service.api.messages.values())[row]
    data = newest["reply_markup"]["inline_keyboard"][0][button]["callback_data"]
    service.api.press(newest, data, ANNA)
    take(service)
    return service.api.answers[-1]["text"]


def test_a_report_gets_its_card(dialogue):
    (call,) = dialogue.sent
    assert call["reply_parameters"] == {"message_id": 10}
    assert "Author: Анна" in call["text"]


def test_a_press_changes_the_incident_and_its_card(dialogue):
    text = press(dialogue)
    incident = Incident.objects.get()
    assert (incident.status, text) == ("in_progress", f"№ {incident.pk}: In progress.")
    dialogue.run()
    assert "Handled by: Анна" in dialogue.shown[0]
    assert len(dialogue.edits) == 1


def test_an_outdated_button_changes_nothing_and_says_so(dialogue):
    (shown,) = dialogue.api.messages.values()
    old = json.loads(json.dumps(shown))
    press(dialogue, button=2)
    dialogue.api.press(old, old["reply_markup"]["inline_keyboard"][0][0]["callback_data"], ANNA)
    take(dialogue)
    assert "Nothing was changed" in dialogue.api.answers[-1]["text"]
    assert Incident.objects.get().changes.count() == 2


def test_open(dialogue):
    dialogue.api.write(**message(message_id=11, text="/open"))
    take(dialogue)
    dialogue.run()
    assert dialogue.shown[-1].startswith("1 incident is open:\n№ ")
    assert Incident.objects.count() == 1


def test_a_reminder_is_put_off(dialogue):
    dialogue.clock.pass_(3600)
    dialogue.run()
    assert press(dialogue) == "The reminder comes in 4 hours."
    dialogue.clock.pass_(2 * 3600)
    dialogue.run()
    assert len(dialogue.sent) == 2
    dialogue.clock.pass_(2 * 3600)
    dialogue.run()
    assert len(dialogue.sent) == 3


def test_a_comment_changes_no_card(dialogue):
    card = next(iter(dialogue.api.messages.values()))
    dialogue.api.write(**message(message_id=12, text="Еду", reply_to_message=card))
    take(dialogue)
    dialogue.run()
    assert (Incident.objects.count(), len(dialogue.sent), len(dialogue.edits)) == (1, 1, 0)


def test_the_mark_of_what_is_urgent(dialogue):
    card = next(iter(dialogue.api.messages.values()))
    for text, heading, urgent in [("urgent", "Open · ❗ Urgent", True), ("not urgent", "Open", False)]:
        (button,) = card["reply_markup"]["inline_keyboard"][1]
        dialogue.api.press(card, button["callback_data"], ANNA)
        take(dialogue)
        incident = Incident.objects.get()
        assert (incident.urgent, dialogue.api.answers[-1]["text"]) == (urgent, f"№ {incident.pk} is {text}.")
        dialogue.run()
        card = next(iter(dialogue.api.messages.values()))
        assert card["text"].splitlines()[0] == f"№ {incident.pk} · {heading}"
    assert (len(dialogue.sent), len(dialogue.edits)) == (1, 2)


def test_a_card_shows_what_was_marked_elsewhere(dialogue):
    incident = Incident.objects.get()
    dialogue.clock.pass_(60)
    change_incident(incident, values={"urgent": True}, actor=Named("petrova"), channel="admin")
    dialogue.run()
    assert dialogue.shown[0].startswith(f"№ {incident.pk} · Open · ❗ Urgent\n")
    assert "Changed: " in dialogue.shown[0] and "Handled by" not in dialogue.shown[0]
    dialogue.api.write(**message(message_id=11, text="/open"))
    take(dialogue)
    dialogue.run()
    assert f"\n№ {incident.pk} · Open · ❗ Urgent · " in dialogue.shown[-1]
