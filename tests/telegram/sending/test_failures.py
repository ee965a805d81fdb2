"""What Telegram refuses, and what becomes of the card."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError

from telegram.bot_api.client import TelegramError
from telegram.models import Card, Chat
from telegram.sending.failures import Action, action_of
from tests.helpers.telegram_messages import ANNA, GROUP
from tests.helpers.updates import take

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HOUR = 3600


def refused(status, description="", **fields):
    transient = status is None or status == 429 or status >= 500
    return TelegramError("x", **{"status": status, "description": description, "transient": transient} | fields)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (refused(400, "Bad Request: message is not modified: specified new message content"), Action.DONE),
        (refused(400, "Bad Request: message to edit not found"), Action.NEW_CARD),
        (refused(400, "Bad Request: MESSAGE_ID_INVALID"), Action.NEW_CARD),
        (refused(400, "Bad Request: message can't be edited"), Action.NEW_CARD),
        (refused(400, "Bad Request: message to be replied not found"), Action.WITHOUT_REPLY),
        (refused(400, "Bad Request: reply message not found"), Action.WITHOUT_REPLY),
        (refused(400, "Bad Request: replied message not found"), Action.WITHOUT_REPLY),
        (refused(400, "Bad Request: message thread not found"), Action.WITHOUT_THREAD),
        (refused(400, "Bad Request: TOPIC_CLOSED"), Action.WITHOUT_THREAD),
        (refused(400, "Bad Request: TOPIC_DELETED"), Action.WITHOUT_THREAD),
        (refused(400, "Bad Request: direct messages topic not found"), Action.WITHOUT_THREAD),
        (refused(400, "Bad Request: group chat was upgraded", supergroup=-1), Action.MIGRATED),
        (refused(400, "Bad Request: group chat was upgraded to a supergroup chat"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: not enough rights to send text messages to the chat"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: have no rights to send a message"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: CHAT_RESTRICTED"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: CHAT_SEND_PLAIN_FORBIDDEN"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: need administrator rights in the channel chat"), Action.CHAT_PAUSED),
        (refused(400, "Bad Request: chat not found"), Action.CHAT_PAUSED),
        (refused(403, "Forbidden: bot was kicked from the supergroup chat"), Action.CHAT_PAUSED),
        (refused(403, "Forbidden: bot was blocked by the user"), Action.CHAT_PAUSED),
        (refused(403, "Forbidden: something new"), Action.CHAT_PAUSED),
        (refused(429, "Too Many Requests: retry after 3", retry_after=3), Action.CHAT_THROTTLED),
        (refused(401, "Unauthorized"), Action.BOT_PAUSED),
        (refused(404, "Not Found"), Action.BOT_PAUSED),
        (refused(None, transient=False), Action.BOT_PAUSED),
        (refused(500, "Internal Server Error"), Action.LATER),
        (refused(502), Action.LATER),
        (refused(302), Action.LATER),
        (refused(None), Action.LATER),
        (refused(None, unknown=True), Action.UNKNOWN),
        (refused(200, transient=False, unknown=True), Action.UNKNOWN),
        (refused(400, "Bad Request: something new"), Action.GIVE_UP),
    ],
)
def test_the_table(error, action):
    assert action_of(error) is action


def test_not_modified_is_done(service, chat):
    card = service.report(chat)
    service.run()
    Card.objects.update(due_at=service.clock.now)
    service.run()
    card.refresh_from_db()
    assert (len(service.edits), card.due_at, card.error) == (1, None, "")


def test_a_deleted_card_is_sent_anew_once(service, chat):
    card = service.report(chat)
    service.run()
    for status in ("in_progress", "resolved"):
        service.api.messages.clear()
        service.change(card, status=status)
        service.run()
    card.refresh_from_db()
    assert (len(service.sent), len(service.edits), card.state) == (2, 2, "failed")
    assert "message to edit not found" in card.error


def test_a_report_that_was_deleted_gets_its_card_without_a_reply(service, chat):
    service.report(chat, reply_to=10)
    service.run()
    assert ["reply_parameters" in call for call in service.sent] == [True, False]
    assert len(service.shown) == 1


def test_a_report_without_an_id_gets_its_card_without_a_reply(service, chat):
    service.report(chat, reply_to=0)
    service.run()
    assert ["reply_parameters" in call for call in service.sent] == [False]


@pytest.mark.parametrize("topic", ["closed", None])
def test_a_closed_or_deleted_topic_gets_its_card_in_the_chat(service, chat, topic):
    if topic:
        service.api.topics[GROUP["id"], 5] = topic
    card = service.report(chat, thread_id=5)
    service.run()
    assert ["message_thread_id" in call for call in service.sent] == [True, False]
    card.refresh_from_db()
    assert card.outside_topic


def test_a_group_that_became_a_supergroup_gets_its_card_at_once(service):
    chat = service.add_chat({"id": -5, "type": "group", "title": "Ops"})
    service.api.migrate(-5, -1005)
    service.report(chat)
    service.run(3)
    assert list(service.api.messages) == [(-1005, 1000)]
    chat.refresh_from_db()
    assert chat.telegram_id == -1005


def test_the_ids_of_a_supergroup_begin_anew(service):
    chat = service.add_chat({"id": -5, "type": "group", "title": "Ops"})
    old = service.report(chat, "old")
    service.run()
    service.api.migrate(-5, -1005)
    service.report(chat, "new")
    service.run()
    service.change(old, status="closed")
    service.run()
    assert [text.rsplit("\n", 1)[1] for text in service.shown] == ["old", "new", "old"]
    assert "Closed" in service.shown[-1]


@pytest.mark.parametrize("membership", ["kicked", "left", "restricted"])
def test_a_chat_that_does_not_take_messages_rests_and_is_told_once(service, chat, caplog, membership):
    service.api.members[GROUP["id"]] = membership
    for _ in range(3):
        card = service.report(chat)
    service.run()
    assert len(service.sent) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    chat.refresh_from_db()
    assert chat.pause_reason
    # The bot is back, and my_chat_member says so.
    service.change(card, status="closed")
    service.api.members[GROUP["id"]] = "member"
    Chat.objects.update(pause_reason="")
    service.run()
    assert len(service.shown) == 3
    assert "Closed" in service.shown[-1]


def test_a_person_who_blocks_the_bot_is_told_of_once(service, private, caplog):
    person = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}

    def block(status, date):
        service.api.members[ANNA["id"]] = status
        take("my_chat_member", {"chat": person, "date": date, "new_chat_member": {"status": status}})

    service.api.members[ANNA["id"]] = "kicked"
    card = service.report(private)
    service.run()
    block("kicked", 1705314600)
    service.run()
    assert len(service.sent) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    service.change(card, status="closed")
    block("member", 1705314700)
    service.run()
    assert ["Closed" in text for text in service.shown] == [True]


def test_other_chats_go_on_while_one_rests(service, chat, private):
    service.api.members[GROUP["id"]] = "kicked"
    service.report(chat)
    service.report(private)
    service.run()
    assert [chat_id for chat_id, _ in service.api.messages] == [ANNA["id"]]


def test_too_many_requests_hold_up_their_chat_alone(service, chat, private):
    service.api.fail("sendMessage", 429, "Too Many Requests: retry after 30", retry_after=30)
    service.report(chat)
    service.sender.step()
    service.report(private)
    service.run(20)
    assert [chat_id for chat_id, _ in service.api.messages] == [ANNA["id"]]
    service.run(20)
    assert len(service.shown) == 2
    assert len(service.sent) == 3


def test_a_wait_of_hours_outlives_a_restart(service, chat):
    service.api.fail("sendMessage", 429, "Too Many Requests", retry_after=18053)
    service.report(chat)
    service.run(5)
    service.clock.pass_(18000)
    service.start()
    service.run(10)
    assert len(service.sent) == 1
    service.run(60)
    assert len(service.sent) == len(service.shown) + 1 == 2


@pytest.mark.parametrize("status", [500, 502, 503])
def test_after_a_fault_of_telegram_all_is_sent_in_order(service, chat, status):
    for _ in range(6):
        service.api.fail("sendMessage", status, "Internal Server Error")
    cards = [service.report(chat) for _ in range(3)]
    service.run(200, every=5)
    assert [int(text.split()[1]) for text in service.shown] == [card.incident_id for card in cards]


def test_a_card_on_which_telegram_always_fails_lets_the_others_pass_in_the_end(service, chat):
    first = service.report(chat)
    Card.objects.update(failures=30)
    service.api.fail("sendMessage", 500)
    service.report(chat, "second")
    service.run()
    assert [text.rsplit("\n", 1)[1] for text in service.shown] == ["second"]
    service.run(2 * HOUR, every=HOUR / 4)
    assert any(text.startswith(f"№ {first.incident_id} ") for text in service.shown)


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_response_is_followed_by_one_repeat(service, chat, done):
    service.api.lose("sendMessage", done=done)
    card = service.report(chat)
    service.run()
    card.refresh_from_db()
    assert (len(service.sent), card.state, card.due_at) == (2, "shown", None)


def test_after_two_lost_responses_the_card_is_given_up_for_all_to_see(service, chat, caplog):
    for _ in range(5):
        service.api.lose("sendMessage")
    card = service.report(chat)
    service.report(chat, "next")
    service.run(60, every=5)
    card.refresh_from_db()
    assert (len(service.sent), card.state, card.due_at) == (4, "failed", None)
    assert "Twice" in card.error
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 2


def test_a_lost_response_to_an_edit_is_repeated(service, chat):
    card = service.report(chat)
    service.run()
    for _ in range(3):
        service.api.lose("editMessageText", done=False)
    service.change(card, status="closed")
    service.run(60)
    assert (len(service.sent), len(service.edits)) == (1, 4)
    assert "Closed" in service.shown[0]


@pytest.mark.parametrize("unknown", [0, 1])
def test_a_card_whose_sender_died_is_repeated_once(service, chat, unknown):
    service.report(chat, send_began_at=service.clock.now, sends_unknown=unknown)
    service.run(50, every=10)
    assert service.sent == []  # another process may still be at it
    service.run(60, every=10)
    assert len(service.sent) == 1 - unknown
    assert Card.objects.get().state == ("failed" if unknown else "shown")


def test_a_death_and_a_lost_response_are_two_unknown_outcomes(service, chat):
    service.report(chat, state="sending", send_began_at=service.clock.now - timedelta(minutes=2))
    service.api.lose("sendMessage")
    service.run(60, every=5)
    assert (len(service.sent), Card.objects.get().state) == (1, "failed")


def test_what_telegram_never_takes_is_given_up_and_the_others_pass(service, chat):
    service.api.fail("sendMessage", 400, "something new")
    service.report(chat)
    service.report(chat, "second")
    service.run()
    assert len(service.sent) == 2
    assert [card.state for card in Card.objects.order_by("pk")] == ["failed", "shown"]


def test_a_failed_edit_waits_for_the_next_change(service, chat):
    card = service.report(chat)
    service.run()
    service.api.fail("editMessageText", 400, "something new")
    service.change(card, status="resolved")
    service.run(30)
    assert len(service.edits) == 1
    service.change(card, status="closed")
    service.run(30)
    card.refresh_from_db()
    assert (len(service.edits), card.state, card.error) == (2, "shown", "")


def test_a_wrong_token_stops_all_and_is_told_once(service, chat, private, settings, caplog):
    settings.TELEGRAM_BOT_TOKEN = settings.TELEGRAM_BOT_TOKEN[:-1] + "0"
    service.report(chat)
    service.report(private)
    service.run(100, every=5)
    assert len(service.sent) <= 4
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    settings.TELEGRAM_BOT_TOKEN = service.api.token
    service.run(70, every=20)
    assert len(service.shown) == 2


def test_a_slow_chat_does_not_hold_up_the_others(service, chat, private, monkeypatch):
    monkeypatch.setattr("telegram.sending.sender.MAX_WAIT_SECONDS", 0.2)
    send = service.api._send_message
    released = threading.Event()

    def slow(params):
        if params["chat_id"] == GROUP["id"]:
            released.wait(10)
        return send(params)

    monkeypatch.setattr(service.api, "_send_message", slow)
    service.report(chat)
    for _ in range(3):
        service.report(private)
    service.run(5)
    assert len(service.shown) == 3
    released.set()
    service.join()
    service.run(2)
    assert Card.objects.filter(due_at=None, state="shown").count() == len(service.sent) == 4


def test_an_outcome_that_cannot_be_stored_is_kept_until_the_database_is_back(service, chat, monkeypatch):
    def away():
        raise OperationalError("the database is away")

    service.report(chat)
    with monkeypatch.context() as broken:
        broken.setattr("telegram.sending.sender.transaction.atomic", away)
        with pytest.raises(OperationalError):
            service.sender.step()
    service.run()
    assert (len(service.sent), Card.objects.get().message_id) == (1, 1000)
