"""What stays open too long is brought up again."""

import threading
from datetime import timedelta

import pytest

from telegram.bot_api.client import length
from telegram.models import Card, Chat
from telegram.sending.cards import PutOff, parse_callback
from telegram.sending.reminders import put_off

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HOUR = 3600


@pytest.fixture(autouse=True)
def hourly(settings):
    settings.TELEGRAM_REMIND_AFTER_MINUTES = 60


def reminders(service):
    return [call for call in service.sent if call["text"].startswith("Still open:")]


def after_an_hour(service):
    service.clock.pass_(HOUR)
    service.run()
    return reminders(service)


def test_several_incidents_are_one_message(service, chat):
    service.report(chat, "Насос 3\nстоит")
    service.report(chat, "Насос 4")
    service.run()
    (call,) = after_an_hour(service)
    assert [line.split(" · ")[1:] for line in call["text"].splitlines()[1:]] == [
        ["Open", "1 March, 15:00", "Насос 3 стоит"], ["Open", "1 March, 15:00", "Насос 4"]
    ]  # fmt: skip


def test_once_per_interval(service, chat):
    service.report(chat)
    service.run()
    assert [len(after_an_hour(service)) for _ in range(3)] == [1, 2, 3]
    service.run(HOUR / 60, every=20)
    assert len(reminders(service)) == 3


def test_a_restart_forgets_none(service, chat):
    service.report(chat)
    service.run()
    service.clock.pass_(HOUR)
    service.start()
    service.run()
    assert len(reminders(service)) == 1


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_not_of_what_is_done(service, chat, status):
    card = service.report(chat)
    service.run()
    service.change(card, status=status)
    assert after_an_hour(service) == []


def test_of_what_was_reopened(service, chat):
    card = service.report(chat)
    service.run()
    service.change(card, status="closed")
    service.run()
    service.change(card, status="open")
    service.run()
    assert len(after_an_hour(service)) == 1


def test_a_chat_has_its_own_interval_or_none(service, chat):
    service.report(chat)
    Chat.objects.update(remind_after_minutes=0)
    service.run()
    assert after_an_hour(service) == []
    Chat.objects.update(remind_after_minutes=30)
    service.start()
    service.run()
    assert len(reminders(service)) == 1
    service.clock.pass_(HOUR / 2)
    service.run()
    assert len(reminders(service)) == 2


@pytest.mark.parametrize("before", [0, 60, 24 * 60])
def test_a_shorter_interval_counts_from_the_card(service, chat, before):
    Chat.objects.update(remind_after_minutes=before)
    card = service.report(chat)
    service.run(3)
    service.clock.pass_(30)
    Chat.objects.update(remind_after_minutes=1)
    service.run(10)
    assert reminders(service) == []
    service.run(30)
    assert len(reminders(service)) == 1
    service.run(35)
    assert len(reminders(service)) == 1
    service.run(20)
    assert len(reminders(service)) == 2
    service.change(card, status="closed")
    service.run(100)
    assert len(reminders(service)) == 2


def test_a_longer_interval_counts_from_the_last_reminder(service, chat):
    service.report(chat)
    service.run()
    assert len(after_an_hour(service)) == 1
    Chat.objects.update(remind_after_minutes=180)
    assert [len(after_an_hour(service)) for _ in range(3)] == [1, 1, 2]


def test_turned_off_and_on_again(service, chat):
    service.report(chat)
    service.run()
    Chat.objects.update(remind_after_minutes=0)
    assert after_an_hour(service) == []
    Chat.objects.update(remind_after_minutes=None)
    service.run(3)
    assert len(reminders(service)) == 1


def test_a_setting_that_changed_with_a_restart(service, chat, settings):
    service.report(chat)
    service.run()
    settings.TELEGRAM_REMIND_AFTER_MINUTES = 1
    service.start()
    service.clock.pass_(60)
    service.run()
    assert len(reminders(service)) == 1


def test_a_change_of_the_interval_leaves_put_off_what_is(service, chat):
    service.report(chat)
    service.run()
    after_an_hour(service)
    put_off(chat, Card.objects.get().reminder_id, timedelta(hours=4))
    Chat.objects.update(remind_after_minutes=1)
    assert len(after_an_hour(service)) == 1
    service.clock.pass_(3 * HOUR)
    service.run(3)
    assert len(reminders(service)) == 2


def test_a_card_that_was_under_way_when_the_interval_changed(service, chat, monkeypatch):
    service.report(chat)

    def change(point, method, *call):
        if (point, method) == ("done", "sendMessage"):
            monkeypatch.setattr(service.api, "watch", lambda *call: None)
            changed.set()

    changed = threading.Event()
    monkeypatch.setattr(service.api, "watch", change)
    monkeypatch.setattr("telegram.sending.sender.MAX_WAIT_SECONDS", 0)
    service.sender.step()
    assert changed.wait(10)
    service.join()
    Chat.objects.update(remind_after_minutes=1)
    service.run(3)
    service.clock.pass_(60)
    service.run(3)
    assert len(reminders(service)) == 1


def test_a_card_from_before_an_upgrade_counts_from_its_incident(service, chat):
    service.report(chat)
    service.run()
    Card.objects.update(remind_from=None)
    Chat.objects.update(remind_after_minutes=1)
    service.clock.pass_(60)
    service.run(3)
    assert len(reminders(service)) == 1


def test_of_cards_from_before_reminders_were_turned_on(service, chat, settings):
    settings.TELEGRAM_REMIND_AFTER_MINUTES = 0
    service.report(chat)
    service.run()
    settings.TELEGRAM_REMIND_AFTER_MINUTES = 60
    service.start()
    service.run()
    assert len(after_an_hour(service)) == 1


def test_a_reminder_can_be_put_off(service, chat):
    service.report(chat)
    service.run()
    (call,) = after_an_hour(service)
    (((button,),),) = (call["reply_markup"]["inline_keyboard"],)
    assert button["text"] == "Remind in 4 hours"
    assert parse_callback(button["callback_data"]) == PutOff(timedelta(hours=4))
    assert put_off(chat, max(message for _, message in service.api.messages), timedelta(hours=4)) == 1
    assert len(after_an_hour(service)) == 1
    service.clock.pass_(3 * HOUR)
    service.run()
    assert len(reminders(service)) == 2


def test_putting_off_concerns_what_the_reminder_named(service, chat):
    service.report(chat)
    service.run()
    after_an_hour(service)
    service.report(chat, "new")
    service.run()
    put_off(chat, Card.objects.first().reminder_id, timedelta(hours=4))
    assert "new" in after_an_hour(service)[-1]["text"]
    assert len(reminders(service)[-1]["text"].splitlines()) == 2


def test_in_the_topic_that_all_have_in_common(service, chat):
    service.api.topics[chat.telegram_id, 5] = "open"
    service.report(chat, thread_id=5)
    service.run()
    assert after_an_hour(service)[0]["message_thread_id"] == 5
    service.api.topics[chat.telegram_id, 5] = "closed"
    assert ["message_thread_id" in call for call in after_an_hour(service)[1:]] == [True, False]


def test_a_hundred_fit_one_message(service, chat):
    for _ in range(100):
        service.report(chat, "😀" * 500)
    Card.objects.update(due_at=None, message_id=None, remind_at=service.clock.now)
    service.run()
    (call,) = reminders(service)
    assert length(call["text"]) <= 4096
    lines = call["text"].splitlines()
    assert lines[-1] == f"… and {100 - len(lines) + 2} more"


def test_a_reminder_that_is_refused_is_not_repeated_before_the_next(service, chat):
    service.report(chat)
    service.run()
    service.api.fail("sendMessage", 400, "something new")
    assert len(after_an_hour(service)) == 1
    assert len(after_an_hour(service)) == 2


def test_a_reminder_waits_for_a_chat_at_rest(service, chat):
    service.report(chat)
    service.run()
    service.api.members[chat.telegram_id] = "kicked"
    assert len(after_an_hour(service)) == 1
    service.api.members[chat.telegram_id] = "member"
    Chat.objects.update(pause_reason="")
    service.run()
    assert len(reminders(service)) == 2
