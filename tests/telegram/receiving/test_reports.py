"""A message of an allowed chat is one incident, whatever it carries."""

from datetime import UTC, datetime

import pytest

from incidents.models import Incident, IncidentChange
from telegram.models import Card, Message
from tests.helpers.telegram_messages import ANNA, BOT, CHANNEL, DATE, GROUP, message, paragraphs
from tests.helpers.updates import again, deliveries, descriptions, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OTHER_BOT = {"id": 5000000001, "is_bot": True, "first_name": "Grafana"}
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


def actors():
    return list(IncidentChange.objects.values_list("actor", "channel"))


def test_a_message_is_an_incident_with_a_card(group):
    write(text="Насос 3 стоит", is_topic_message=True, message_thread_id=5)
    incident, card = Incident.objects.get(), Card.objects.get()
    assert (incident.description, incident.source, incident.status) == ("Насос 3 стоит", "operator", "open")
    assert incident.created_at == datetime.fromtimestamp(DATE, UTC)
    assert (card.incident, card.chat, card.reply_to, card.thread_id) == (incident, group, 10, 5)
    assert card.due_at and card.message_id is None
    assert actors() == [("Анна", "telegram")]


def test_a_thread_without_a_topic_is_none(group):
    write(text="x", message_thread_id=77, reply_to_message={"message_id": 77, "chat": GROUP})
    assert Card.objects.get().thread_id is None


def test_rich_text(group):
    blocks = [*paragraphs("Насос 3 стоит")["blocks"], {"type": "hologram", "text": "левый"}]
    write(rich_message={"blocks": blocks})
    assert descriptions() == ["Насос 3 стоит\n[block of an unknown kind: hologram]\nлевый"]
    assert deliveries() == [("faulty", "the kind of the message, or of a block in it, is not known")]


def test_messages_without_an_id_of_their_own_stay_apart(group):
    write(message_id=0, text="one", ephemeral_message_id=3)
    again(write(message_id=0, text="two"))
    assert descriptions() == ["one", "two"]


def test_the_same_update_twice_is_one(group):
    again(write(text="x"))
    again({"update_id": 99, "message": message(text="x")})
    assert descriptions() == ["x"]


def test_each_of_many_forwarded_messages_is_a_report(group):
    origin = {"type": "hidden_user", "sender_user_name": "Пётр", "date": DATE}
    for number in range(5):
        write(message_id=number + 1, text="x", forward_origin=origin)
    assert descriptions() == ["[forwarded from Пётр]\nx"] * 5
    assert {actor for actor, _ in actors()} == {"Анна"}


def test_an_anonymous_administrator(group):
    write(text="x", sender_chat=GROUP, author_signature="дежурный", **{"from": ANONYMOUS})
    assert actors() == [("Ops (дежурный)", "telegram")]


def test_long_ids(group, settings):
    chat = GROUP | {"id": -1003999999999999}
    settings.TELEGRAM_INTAKE_CHATS = [str(chat["id"])]
    write(chat=chat, message_id=2147483648, text="x")
    taken = Message.objects.get()
    assert (taken.alias.telegram_id, taken.message_id) == (-1003999999999999, 2147483648)


def test_two_bots_are_kept_apart(group, settings):
    write(photo=[{}])
    settings.TELEGRAM_BOT_TOKEN = "110201544:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
    write(photo=[{}])
    assert len(descriptions()) == 2
    assert descriptions()[0] == "[photo, no text]\nhttps://t.me/c/1234567890/10"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"new_chat_members": [ANNA]}, "service message"),
        ({"pinned_message": {"message_id": 3}}, "service message"),
        ({"forum_topic_created": {"name": "x"}}, "service message"),
        ({"new_chat_title": "x"}, "service message"),
        ({"sticker": {"emoji": "👍"}}, "sticker"),
        ({"dice": {"emoji": "🎲"}}, "dice"),
        ({"game": {"title": "x"}}, "game"),
        ({"giveaway": {}}, "giveaway"),
        ({"text": "/reboot"}, "a command"),
        ({"text": "/incident"}, "a command without text"),
        ({"text": "x", "from": BOT | {"id": 110201543}}, "a message of this bot"),
    ],
)
def test_what_is_no_report_says_why(group, fields, note):
    write(**fields)
    assert (descriptions(), deliveries()) == ([], [("skipped", note)])


@pytest.mark.parametrize(
    "content",
    [
        {"voice": {"duration": 12}},
        {"video_note": {"duration": 12}},
        {"animation": {}, "document": {}},
        {"location": {"latitude": 55.7, "longitude": 37.6}},
        {"venue": {"title": "x"}},
        {"contact": {"first_name": "x"}},
        {"poll": {"question": "x"}},
        {"checklist": {"title": "x"}},
        {"story": {}},
        {"live_photo": {}},
        {"paid_media": {}},
    ],
)
def test_content_without_text_is_a_report(group, content):
    write(**content)
    assert len(descriptions()) == 1 and deliveries() == [("processed", "")]


def test_content_of_a_kind_that_is_not_known_is_a_report_and_marked(group):
    write(hologram={})
    assert descriptions() == ["[message of an unknown kind: hologram]\nhttps://t.me/c/1234567890/10"]
    assert deliveries()[0][0] == "faulty"


def test_another_bots_message_is_a_report_of_the_chats_source_without_a_card(group):
    group.source = "monitoring"
    group.save()
    write(text="Диск полон", **{"from": OTHER_BOT})
    assert Incident.objects.get().source == "monitoring"
    assert not Card.objects.exists()


def test_a_channels_post(group, settings):
    settings.TELEGRAM_INTAKE_CHATS = [str(CHANNEL["id"])]
    take("channel_post", message(chat=CHANNEL, text="x", author_signature="Ира", **{"from": None}))
    assert actors() == [("News (Ира)", "telegram")]
