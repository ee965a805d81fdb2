"""Polling: stored before it is confirmed, nothing dropped, trouble told."""

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from core import jobs
from core.jobs import NotNowError
from incidents.models import IncidentChange
from intake.models import Delivery
from telegram.models import Bot, Chat
from telegram.reading.updates import ALLOWED_UPDATES
from telegram.receiving import poller, updates
from tests.helpers.telegram_messages import message
from tests.helpers.updates import descriptions

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def quick(group, telegram_api, monkeypatch):
    monkeypatch.setattr(poller, "LONG_POLL_SECONDS", 0)
    monkeypatch.setattr(poller, "MAX_STEP_SECONDS", 600)  # however busy the machine is


def write(api, *texts):
    for number, text in enumerate(texts, 1):
        api.write(**message(message_id=number, text=text))


def test_what_waited_is_recorded_in_order_and_confirmed(telegram_api):
    write(telegram_api, *"abcde")
    assert poller.poll() is True
    assert descriptions() == [*"abcde"]
    assert telegram_api.pending == []


def test_each_update_has_a_request_id_of_its_own(telegram_api):
    write(telegram_api, *"ab")
    poller.poll()
    request_ids = list(Delivery.objects.order_by("pk").values_list("request_id", flat=True))
    assert len(set(request_ids)) == 2
    assert list(IncidentChange.objects.order_by("pk").values_list("request_id", flat=True)) == request_ids


def test_a_server_that_holds_no_requests_back_is_not_asked_without_pause(telegram_api, monkeypatch):
    monkeypatch.setattr(poller, "LONG_POLL_SECONDS", 1_000)
    monkeypatch.setattr(telegram_api, "respond", lambda *call: [])
    assert poller.poll() is False


def test_more_than_a_request_returns(telegram_api, monkeypatch):
    monkeypatch.setattr(poller, "MAX_STEP_SECONDS", 600)  # however slow the machine
    write(telegram_api, *map(str, range(120)))
    poller.poll()
    assert len(descriptions()) == 120 and telegram_api.pending == []


def test_a_step_ends_in_time_and_the_next_goes_on(telegram_api, monkeypatch):
    monkeypatch.setattr(poller, "MAX_STEP_SECONDS", 0)
    write(telegram_api, *map(str, range(120)))
    poller.poll()
    assert len(telegram_api.pending) == 20
    poller.poll()
    assert len(descriptions()) == 120


def test_every_request_names_all_kinds_and_a_step_begins_without_an_offset(telegram_api):
    telegram_api.allowed_updates = ["message"]
    for _ in range(2):
        write(telegram_api, "a")
        poller.poll()
    polls = telegram_api.called("getUpdates")
    assert all(poll["allowed_updates"] == ALLOWED_UPDATES for poll in polls)
    assert ["offset" in poll for poll in polls] == [False, True, False, True]
    assert "callback_query" in telegram_api.allowed_updates


def test_nothing_is_confirmed_before_it_is_stored(telegram_api, monkeypatch):
    write(telegram_api, *"abc")

    def die(body):
        raise OperationalError("gone")

    monkeypatch.setattr(updates, "take", die)
    with pytest.raises(OperationalError):
        poller.poll()
    assert len(telegram_api.pending) == 3
    monkeypatch.undo()
    poller.poll()
    assert descriptions() == [*"abc"]


def test_what_was_stored_and_not_confirmed_is_recognized(telegram_api):
    write(telegram_api, *"abc")
    telegram_api.lose("getUpdates", done=False)
    for update in telegram_api.pending:
        updates.take(b'{"message": %s, "update_id": %d}' % (b"{}", update["update_id"]))
    with pytest.raises(NotNowError):
        poller.poll()
    poller.poll()
    poller.poll()
    assert descriptions() == [*"abc"]


def test_a_week_later_ids_start_anew(telegram_api):
    write(telegram_api, "a")
    poller.poll()
    later = telegram_api.now() + 8 * 24 * 3600
    telegram_api.now = lambda: later
    telegram_api.chance.seed(1)
    telegram_api._update_id = 10  # smaller than before
    telegram_api._update_at = later
    telegram_api.write(**message(message_id=9, text="b"))
    poller.poll()
    assert descriptions() == ["a", "b"]


@pytest.mark.parametrize("description", ["terminated by other getUpdates request", "can't use getUpdates method"])
def test_a_conflict_is_told_and_tried_again_later(telegram_api, description, caplog):
    telegram_api.fail("getUpdates", 409, description)
    with pytest.raises(NotNowError):
        poller.poll()
    assert description in Bot.objects.get().trouble
    poller.poll()
    assert Bot.objects.get().trouble == ""


def test_the_job_waits_without_a_stack_trace_when_telegram_is_away(telegram_api, caplog, monkeypatch):
    monkeypatch.setattr(jobs, "registered", {"poll": jobs.Job("poll", poller.poll, every=jobs.POLL)})
    runner = jobs.Runner()
    telegram_api.fail("getUpdates", 502)
    for _ in range(3):
        runner.run_if_due(jobs.registered["poll"])
    assert len(telegram_api.called("getUpdates")) == 1
    (record,) = [record for record in caplog.records if record.name == "core.jobs"]
    assert (record.levelname, record.exc_info) == ("WARNING", None)


def test_the_bot_is_asked_its_name_before_the_first_update(telegram_api):
    Bot.objects.all().delete()
    telegram_api.me |= {"can_read_all_group_messages": False}
    telegram_api.write(**message(text="/incident@our_BOT x"))
    poller.poll()
    assert descriptions() == ["x"]
    bot = Bot.objects.get()
    assert (bot.username, bot.can_read_all_group_messages) == ("our_bot", False)


def test_configured_chats_are_shown_at_once(telegram_api):
    Chat.objects.all().delete()
    poller.refresh_bot()
    assert Chat.objects.get().allowed
    assert telegram_api.called("setWebhook") == []


def test_the_webhook_is_registered_where_it_is_not_as_set(telegram_api, settings):
    settings.TELEGRAM_WEBHOOK_URL, settings.TELEGRAM_WEBHOOK_SECRET = "https://example.org/x", "s3cr3t"
    write(telegram_api, *"ab")
    for _ in range(2):
        poller.refresh_bot()
    (call,) = telegram_api.called("setWebhook")
    assert (call["url"], call["secret_token"], call["allowed_updates"]) == (
        "https://example.org/x", "s3cr3t", ALLOWED_UPDATES,
    )  # fmt: skip
    assert "drop_pending_updates" not in call and len(telegram_api.pending) == 2
    settings.TELEGRAM_WEBHOOK_SECRET = "another"
    poller.refresh_bot()
    assert telegram_api.webhook["secret_token"] == "another"


def test_a_webhook_is_removed_only_on_demand(telegram_api, capsys):
    write(telegram_api, "a")
    telegram_api.webhook = {"url": "https://example.org/"}
    with pytest.raises(CommandError, match=r"1 updates wait.*--remove-webhook"):
        call_command("telegram_poll")
    call_command("telegram_poll", "--remove-webhook")
    assert "1 updates wait" in capsys.readouterr().out
    poller.poll()
    assert descriptions() == ["a"]
