"""Incidents that came otherwise than from a chat are shown in the chat of TELEGRAM_NOTIFY_CHAT."""

import json
from datetime import UTC, datetime

import pytest

from incidents.models import Incident
from telegram.models import Card, Chat, ChatAlias, Message
from tests.helpers.incidents import make_incident
from tests.helpers.telegram_messages import GROUP

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DAY = 24 * 3600


@pytest.fixture
def notify(service, settings):
    """The setting was made, and the jobs came up with it."""
    service.api.add_chat(GROUP)
    settings.TELEGRAM_NOTIFY_CHAT = str(GROUP["id"])
    service.run(1)
    service.clock.pass_(DAY)
    return service


def test_by_the_api(notify, api, user):
    body = json.dumps({"description": "Точка 5 не отвечает", "source": "monitoring"})
    assert api.post("/api/v1/incidents/", body, "application/json").status_code == 201
    notify.run()
    assert "Author: operator" in notify.shown[0] or "Автор: operator" in notify.shown[0]
    assert len(notify.sent) == 1


def test_an_alert_that_began_long_ago(notify):
    make_incident(created_at=datetime(2020, 1, 1, tzinfo=UTC), channel="alertmanager")
    notify.run()
    assert len(notify.shown) == 1


def test_not_those_from_before_the_setting_was_made(service, settings):
    make_incident()
    service.clock.pass_(60)
    service.add_chat()
    settings.TELEGRAM_NOTIFY_CHAT = str(GROUP["id"])
    service.run()
    assert service.shown == []


def test_not_samples_and_other_incidents_of_commands(notify):
    make_incident(channel="command")
    notify.run()
    assert notify.shown == []


def test_not_those_from_a_chat(notify):
    chat = Chat.objects.create(bot_id=1, telegram_id=-9)
    alias = ChatAlias.objects.create(bot_id=1, telegram_id=-9, chat=chat)
    incident = make_incident(channel="telegram")
    Message.objects.create(alias=alias, message_id=5, incident=incident, role="report", words="x")
    notify.run()
    assert notify.shown == []


def test_one_that_was_committed_after_one_with_a_higher_id(notify):
    first = make_incident().pk
    for number in (1000, 500):
        Incident.objects.create(pk=first + number, description=f"{number}", source="operator")
        notify.run(200, every=20)
    assert [text.rsplit("\n", 1)[1] for text in notify.shown[1:]] == ["1000", "500"]


def test_those_while_the_jobs_were_down_once(notify):
    make_incident()
    notify.clock.pass_(10 * DAY)
    notify.start()
    notify.run(1300, every=70)
    notify.start()
    notify.run()
    assert len(notify.sent) == 1


def test_the_search_begins_where_it_was_through(notify):
    make_incident()
    notify.run(800, every=60)
    incident = make_incident()
    assert Chat.objects.get().notify_after_id == incident.pk - 1


def test_a_change_is_shown_there_too(notify):
    make_incident()
    notify.run()
    notify.change(Card.objects.get(), status="resolved")
    notify.run()
    assert (len(notify.sent), len(notify.edits)) == (1, 1)


def test_without_the_setting_nothing_more_is_sent(notify, settings):
    settings.TELEGRAM_NOTIFY_CHAT = ""
    notify.start()
    make_incident()
    notify.run()
    assert notify.api.calls == []
    assert Chat.objects.get().notify_after_id is None


@pytest.mark.parametrize("value", ["@incidents", "x", "-"])
def test_a_setting_that_is_no_id_stops_nothing(service, chat, settings, value):
    settings.TELEGRAM_NOTIFY_CHAT = value
    service.report(chat)
    service.run()
    assert len(service.shown) == 1
