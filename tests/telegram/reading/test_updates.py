"""What an update is about: its chat and message; what the bot may do; migrations."""

from datetime import UTC, datetime

import pytest

from telegram.reading import reports, updates
from telegram.reading.reports import NotUnderstoodError
from tests.helpers.telegram_messages import ANNA, BOT, CHANNEL, DATE, GROUP, message

PRIVATE = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("kind", ["message", "edited_message", "channel_post", "edited_channel_post"])
def test_messages_and_their_edits(kind):
    sent = message(text="x", edit_date=DATE + 60)
    update = updates.read({"update_id": 5, kind: sent})
    edited = kind.startswith("edited")
    assert (update.id, update.kind, update.is_handled, update.is_edit) == (5, kind, True, edited)
    assert update.chat == updates.Chat(GROUP["id"], "supergroup", "Ops", "")
    assert update.report == reports.read(sent)
    assert (update.report.date, update.report.edited) == (at(DATE), at(DATE + 60))
    assert update.report.author.name == "Анна"


def test_a_message_is_read_once():
    update = updates.read({"update_id": 5, "message": message(text="/incident Течь")})
    assert update.report is update.report
    assert update.report.description == "Течь"


def test_a_press_of_a_button():
    pressed = {"id": "1", "from": ANNA, "message": {"chat": GROUP, "message_id": 3, "date": 0}, "data": "x"}
    update = updates.read({"update_id": 5, "callback_query": pressed})
    query = update.callback_query
    assert (update.chat.id, query.id, query.data, query.message_id) == (GROUP["id"], "1", "x", 3)
    assert query.author.user_id == ANNA["id"]
    assert updates.read({"update_id": 5, "callback_query": {"inline_message_id": "x"}}).chat is None


@pytest.mark.parametrize(
    "kind",
    [
        "poll", "poll_answer", "chat_member", "chat_join_request", "message_reaction", "message_reaction_count",
        "chat_boost", "removed_chat_boost", "purchased_paid_media", "inline_query", "chosen_inline_result",
        "shipping_query", "pre_checkout_query", "business_connection", "business_message", "edited_business_message",
        "deleted_business_messages", "guest_message", "managed_bot", "subscription", "stopped_message_generation",
        "something_new",
    ],
)  # fmt: skip
def test_other_kinds_are_told_and_not_handled(kind):
    update = updates.read({"update_id": 5, kind: message(chat=PRIVATE, text="x")})
    assert (update.kind, update.is_handled) == (kind, False)
    assert update.chat.name == "Анна"


@pytest.mark.parametrize(
    "update",
    [
        None,
        [],
        {},
        {"update_id": 5},
        {"update_id": "5", "message": {}},
        {"message": {}},
        {"update_id": 5, "message": []},
    ],
)
def test_what_is_no_update_is_not_understood(update):
    with pytest.raises(NotUnderstoodError):
        updates.read(update)


@pytest.mark.parametrize(
    ("member", "chat", "can_send", "sees_all"),
    [
        ({"status": "member"}, GROUP, True, False),
        ({"status": "administrator"}, GROUP, True, True),
        ({"status": "administrator", "can_post_messages": True}, CHANNEL, True, True),
        ({"status": "administrator"}, CHANNEL, False, True),
        ({"status": "member"}, CHANNEL, False, False),
        ({"status": "creator"}, GROUP, True, True),
        ({"status": "restricted", "is_member": True, "can_send_messages": True}, GROUP, True, False),
        ({"status": "restricted", "is_member": True, "can_send_messages": False}, GROUP, False, False),
        ({"status": "restricted", "is_member": False, "can_send_messages": True}, GROUP, False, False),
        ({"status": "left"}, GROUP, False, False),
        ({"status": "kicked", "until_date": 0}, PRIVATE, False, False),
    ],
)
def test_what_the_bot_may_do(member, chat, can_send, sees_all):
    changed = {"chat": chat, "from": ANNA, "date": DATE, "new_chat_member": member | {"user": BOT}}
    update = updates.read({"update_id": 5, "my_chat_member": changed})
    assert update.chat.id == chat["id"]
    assert update.membership == updates.Membership(member["status"], can_send=can_send, sees_all=sees_all, at=at(DATE))


def test_an_unknown_status_is_not_understood():
    update = updates.read({"update_id": 5, "my_chat_member": {"chat": GROUP, "new_chat_member": {"status": "ghost"}}})
    with pytest.raises(NotUnderstoodError):
        assert update.membership


OLD = {"id": -4001, "type": "group", "title": "Ops"}


@pytest.mark.parametrize(
    "sign", [message(chat=OLD, migrate_to_chat_id=GROUP["id"]), message(migrate_from_chat_id=OLD["id"])]
)
def test_each_sign_of_a_migration_is_enough(sign):
    assert updates.read({"update_id": 1, "message": sign}).migrations == ((OLD["id"], GROUP["id"]),)


@pytest.mark.parametrize(
    "payload",
    [
        {"update_id": 1, "message": message(text="x")},
        {"update_id": 1, "message": message(migrate_to_chat_id=GROUP["id"])},
        {"update_id": 1, "message": message(migrate_to_chat_id="5")},
        {"update_id": 1, "something_new": message(chat=OLD, migrate_to_chat_id=GROUP["id"])},
    ],
)
def test_others_tell_of_none(payload):
    assert updates.read(payload).migrations == ()
