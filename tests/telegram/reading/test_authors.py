"""Who a message is by, and whose account may be linked to a user."""

import pytest

from telegram.reading import reports
from telegram.reading.authors import Author, author_of_user
from tests.helpers.telegram_messages import ANNA, CHANNEL, GROUP, message

ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel"}
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({}, Author("Анна", user_id=7000000001)),
        ({"from": ANNA | {"last_name": "Ли", "username": "anna"}}, Author("Анна Ли", user_id=7000000001)),
        ({"from": ANNA | {"first_name": "\u3164", "username": "anna"}}, Author("@anna", user_id=7000000001)),
        ({"from": ANNA | {"first_name": ""}}, Author("deleted account 7000000001", user_id=7000000001)),
        ({"from": ANNA | {"first_name": " a \n b "}}, Author("a b", user_id=7000000001)),
        ({"from": {"id": 5, "is_bot": True, "first_name": "Grafana"}}, Author("Grafana", bot_id=5)),
        ({"from": ANONYMOUS, "sender_chat": GROUP, "author_signature": "дежурный"}, Author("Ops (дежурный)")),
        ({"from": ANONYMOUS, "sender_chat": GROUP}, Author("Ops")),
        ({"from": ANONYMOUS}, Author("Ops")),
        ({"from": CHANNEL_BOT, "sender_chat": CHANNEL}, Author("News")),
        ({"from": CHANNEL_BOT}, Author("Channel")),
        ({"from": TELEGRAM}, Author("Telegram")),
        ({"from": None, "chat": CHANNEL, "sender_chat": CHANNEL, "author_signature": "Ира"}, Author("News (Ира)")),
        ({"from": None, "chat": CHANNEL}, Author("News")),
        ({"from": {}, "chat": {"id": -5}}, Author("chat -5")),
        ({"from": {"first_name": "A"}}, Author("A")),
        ({"from": {"is_bot": False}}, Author("unknown author")),
    ],
)
def test_authors(fields, author):
    assert reports.read(message(text="x", **fields)).author == author


def test_a_channel_post_copied_into_the_discussion_group_is_by_the_channel():
    origin = {"type": "channel", "chat": CHANNEL, "message_id": 7, "author_signature": "Ира"}
    copied = {"from": TELEGRAM, "sender_chat": CHANNEL, "is_automatic_forward": True, "forward_origin": origin}
    report = reports.read(message(text="Авария", **copied))
    assert report.author == Author("News (Ира)")
    assert report.description == "Авария"
    assert report.copy_of == (CHANNEL["id"], 7)


def test_long_names_are_cut():
    assert len(author_of_user(ANNA | {"first_name": "я" * 300}).name) == 150
