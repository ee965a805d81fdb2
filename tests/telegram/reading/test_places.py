"""Where a message stands: its key, topic, link, and what it replies to."""

import pytest

from telegram.reading import reports
from tests.helpers.telegram_messages import CHANNEL, GROUP, message


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({}, "https://t.me/c/1234567890/10"),
        ({"is_topic_message": True, "message_thread_id": 5}, "https://t.me/c/1234567890/5/10"),
        ({"message_thread_id": 5}, "https://t.me/c/1234567890/10"),
        ({"chat": CHANNEL}, "https://t.me/ops_news/10"),
        ({"chat": GROUP | {"username": "a/../b"}}, "https://t.me/c/1234567890/10"),
        ({"chat": {"id": -1997852516352, "type": "channel"}}, "https://t.me/c/997852516352/10"),
        ({"chat": {"id": -5, "type": "group"}}, None),
        ({"chat": {"id": 5, "type": "private", "username": "anna"}}, None),
        ({"message_id": 0}, None),
    ],
)
def test_links(fields, link):
    assert reports.read(message(text="x", **fields)).link == link


@pytest.mark.parametrize(
    "fields",
    [
        {"message_id": 0},
        {"message_id": 0, "ephemeral_message_id": 3},
        {"ephemeral_message_id": 3},
        {"business_connection_id": "b"},
        {"guest_query_id": "g"},
    ],
)
def test_ids_that_identify_nothing_are_no_key(fields):
    assert reports.read(message(text="x", **fields)).message_id is None


def test_ids_beyond_32_bits_stay_exact():
    chat = {"id": -1003999999999999, "type": "supergroup"}
    report = reports.read(message(text="x", chat=chat, message_id=2147483648))
    assert (report.chat_id, report.message_id) == (-1003999999999999, 2147483648)


@pytest.mark.parametrize(
    "broken",
    [{"chat": None}, {"chat": {"id": 2**63}}, {"chat": {"id": "5"}}, {"message_id": None}, {"message_id": True}],
)
def test_a_message_without_its_place_is_not_understood(broken):
    with pytest.raises(reports.NotUnderstoodError):
        reports.read(message(text="x") | broken)


@pytest.mark.parametrize(
    ("fields", "reply_to", "thread"),
    [
        ({}, None, None),
        ({"message_thread_id": 77, "reply_to_message": {"message_id": 77}}, 77, None),
        ({"is_topic_message": True, "message_thread_id": 5, "reply_to_message": {"message_id": 5}}, None, 5),
        ({"is_topic_message": True, "message_thread_id": 5, "reply_to_message": {"message_id": 6}}, 6, 5),
        ({"reply_to_message": {"message_id": 5, "forum_topic_created": {}}}, None, None),
        ({"reply_to_message": {"message_id": 0}}, None, None),
        ({"external_reply": {"message_id": 5}}, None, None),
    ],
)
def test_threads_and_replies(fields, reply_to, thread):
    report = reports.read(message(text="x", **fields))
    assert (report.reply_to, report.thread_id) == (reply_to, thread)


def test_a_channels_direct_messages_keep_their_topic():
    assert reports.read(message(text="x", direct_messages_topic={"topic_id": 8})).direct_topic_id == 8


@pytest.mark.parametrize("date", [0, -5, 2**40, "1705314600", None, 1.5])
def test_an_impossible_date_is_none(date):
    assert reports.read(message(text="x", date=date)).date is None
