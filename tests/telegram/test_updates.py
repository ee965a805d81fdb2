"""What an update is about: its chat, date and message; what the bot may do; migrations."""

from datetime import UTC, datetime

import pytest

from telegram.reading import updates as parsing
from telegram.reading.reports import NotUnderstoodError
from tests.helpers.telegram_messages import ANNA, BOT, CHANNEL, DATE, GROUP, message

PRIVATE = {"id": ANNA["id"], "type": "private", "first_name": "Анна"}


@pytest.mark.parametrize("kind", ["message", "edited_message", "channel_post", "edited_channel_post"])
def test_messages_and_their_edits(kind):
    sent = message(text="x", edit_date=DATE + 60)
    update = parsing.parse({"update_id": 5, kind: sent})
    edited = kind.startswith("edited")
    assert (update.id, update.kind, update.is_handled, update.edited) == (5, kind, True, edited)
    assert update.chat == parsing.Chat(GROUP["id"], "supergroup", "Ops", "", is_forum=False)
    assert update.message == sent
    assert update.date == datetime.fromtimestamp(DATE + (60 if edited else 0), UTC)
    assert update.author.name == "Анна"


def test_a_press_of_a_button():
    pressed = {"id": "1", "from": ANNA, "message": {"chat": GROUP, "message_id": 3, "date": 0}, "data": "x"}
    update = parsing.parse({"update_id": 5, "callback_query": pressed})
    assert (update.chat.id, update.message["message_id"], update.author.user_id) == (GROUP["id"], 3, ANNA["id"])
    assert parsing.parse({"update_id": 5, "callback_query": {"inline_message_id": "x"}}).chat is None


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
    update = parsing.parse({"update_id": 5, kind: message(chat=PRIVATE, text="x")})
    assert (update.kind, update.is_handled, update.message) == (kind, False, None)
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
        parsing.parse(update)


@pytest.mark.parametrize(
    ("member", "chat", "present", "can_send", "sees_all"),
    [
        ({"status": "member"}, GROUP, True, True, False),
        ({"status": "administrator"}, GROUP, True, True, True),
        ({"status": "administrator", "can_post_messages": True}, CHANNEL, True, True, True),
        ({"status": "administrator"}, CHANNEL, True, False, True),
        ({"status": "member"}, CHANNEL, True, False, False),
        ({"status": "creator"}, GROUP, True, True, True),
        ({"status": "restricted", "is_member": True, "can_send_messages": True}, GROUP, True, True, False),
        ({"status": "restricted", "is_member": True, "can_send_messages": False}, GROUP, True, False, False),
        ({"status": "restricted", "is_member": False, "can_send_messages": True}, GROUP, False, False, False),
        ({"status": "left"}, GROUP, False, False, False),
        ({"status": "kicked", "until_date": 0}, PRIVATE, False, False, False),
    ],
)
def test_what_the_bot_may_do(member, chat, present, can_send, sees_all):
    changed = {"chat": chat, "from": ANNA, "date": DATE, "new_chat_member": member | {"user": BOT}}
    update = parsing.parse({"update_id": 5, "my_chat_member": changed})
    assert update.chat.id == chat["id"]
    assert parsing.membership(update) == parsing.Membership(
        member["status"], is_present=present, can_send=can_send, sees_all=sees_all
    )


def test_an_unknown_status_is_not_understood():
    update = parsing.parse({"update_id": 5, "my_chat_member": {"chat": GROUP, "new_chat_member": {"status": "ghost"}}})
    with pytest.raises(NotUnderstoodError):
        parsing.membership(update)


OLD = {"id": -4001, "type": "group", "title": "Ops"}


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        ({"update_id": 1, "message": message(chat=OLD, migrate_to_chat_id=GROUP["id"])}, None),
        ({"update_id": 1, "message": message(migrate_from_chat_id=OLD["id"])}, None),
        ({"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": GROUP["id"]}}, OLD["id"]),
    ],
)
def test_each_sign_of_a_migration_is_enough(payload, asked):
    assert parsing.migrations(payload, asked=asked) == [(OLD["id"], GROUP["id"])]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {"update_id": 1, "message": message(text="x")},
        {"update_id": 1, "message": message(migrate_to_chat_id=GROUP["id"])},
        {"update_id": 1, "message": message(migrate_to_chat_id="5")},
        {"ok": False, "parameters": {"retry_after": 5}},
    ],
)
def test_others_tell_of_none(payload):
    assert parsing.migrations(payload, asked=OLD["id"]) == []
