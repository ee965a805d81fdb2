"""A press of a button is a change by the presser; an outdated one changes nothing."""

import pytest

from identity.models import User
from incidents.models import Incident, IncidentChange
from intake.inbox import process_pending, replay
from intake.models import Delivery
from telegram.models import Account
from telegram.sending import sender
from tests.helpers.telegram_messages import ANNA, GROUP
from tests.helpers.updates import deliveries, history, press, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def incident(group):
    write(text="Насос")
    return Incident.objects.get()


@pytest.fixture
def pressed(monkeypatch, django_capture_on_commit_callbacks):
    told = []
    monkeypatch.setattr(sender, "answer_callback_query", lambda *args: told.append(args))

    def pressed(data):
        """What the presser is told once it is committed."""
        with django_capture_on_commit_callbacks(execute=True):
            press(data, chat=GROUP)
        callback_id, text = told[-1]
        assert callback_id == "77" and len(text) <= 200
        return text

    return pressed


def test_a_press_changes_the_status(incident, pressed):
    assert pressed(f"1:{incident.pk}:open:resolved") == f"№ {incident.pk}: Resolved."
    change = IncidentChange.objects.last()
    assert (change.actor, change.channel, change.changes) == ("Анна", "telegram", {"status": ["open", "resolved"]})


def test_the_presser_is_the_user_that_the_account_is_tied_to(incident, pressed):
    Account.objects.create(telegram_id=ANNA["id"], user=User.objects.create_user("petrova"))
    pressed(f"1:{incident.pk}:open:resolved")
    assert IncidentChange.objects.last().actor == "petrova"


@pytest.mark.parametrize("wanted", ["resolved", "closed"])
def test_an_outdated_button_changes_nothing_and_says_so(incident, pressed, wanted):
    pressed(f"1:{incident.pk}:open:resolved")
    assert pressed(f"1:{incident.pk}:open:{wanted}").startswith("Nothing was changed")
    assert len(history()) == 1


def test_a_replayed_press_does_nothing(incident, pressed):
    pressed(f"1:{incident.pk}:open:resolved")
    pressed(f"1:{incident.pk}:resolved:open")
    replay(list(Delivery.objects.values_list("pk", flat=True)))
    process_pending()
    assert len(history()) == 2


@pytest.mark.parametrize(
    "data", ["1:999:open:closed", "2:1:open:closed", "x" * 64, "", "1:9223372036854775807:open:closed"]
)
def test_data_that_no_button_of_the_chat_has_is_refused(incident, pressed, data):
    assert pressed(data) == "This button is not known."
    assert deliveries()[-1] == ("skipped", "the button is not known")


def test_an_incident_without_a_card_in_the_chat_is_not_changed(incident, pressed, settings):
    other = GROUP | {"id": -100555}
    settings.TELEGRAM_INTAKE_CHATS += ["-100555"]
    write(chat=other, text="x")
    pressed(f"1:{Incident.objects.last().pk}:open:closed")
    assert history() == []


def test_the_chat_that_is_told_may_press_and_comment_and_does_not_report(incident, settings):
    settings.TELEGRAM_INTAKE_CHATS, settings.TELEGRAM_NOTIFY_CHAT = [], str(GROUP["id"])
    incident.cards.update(message_id=500)
    type(incident.cards.get().chat).objects.update(allowed=False)
    press(f"1:{incident.pk}:open:closed", chat=GROUP)
    write(message_id=11, text="Едем", reply_to_message={"message_id": 500})
    write(message_id=12, text="Привет")
    assert [list(change) for change in history()] == [["status"], ["comment"]]
    assert Incident.objects.count() == 1


def test_a_press_without_a_message_is_set_aside(group):
    take("callback_query", {"id": "77", "from": ANNA, "inline_message_id": "x", "data": "1:1:open:closed"})
    assert deliveries() == [("skipped", "not handled: the chat is not known")]


def test_a_presser_is_told_in_the_chats_language(incident, pressed):
    type(incident.cards.get().chat).objects.update(language="ru")
    assert pressed(f"1:{incident.pk}:open:resolved") == f"№ {incident.pk}: Решён."
