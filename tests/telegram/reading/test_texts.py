"""Which messages are the bot's commands, and which mention it."""

from typing import NamedTuple

import pytest

from telegram.reading import texts
from tests.helpers.telegram_messages import BOT, message, paragraphs


class Command(NamedTuple):
    name: str
    text: str
    ours: bool


def command(message, *, username):
    found = texts.read(message).command
    return found and Command(found.name, found.text, ours=found.is_for(username))


def entity(kind, offset, length, **fields):
    return {"type": kind, "offset": offset, "length": length} | fields


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/incident Насос стоит", Command("incident", "Насос стоит", ours=True)),
        ("/incident", Command("incident", "", ours=True)),
        ("/INCIDENT\nx", Command("incident", "x", ours=True)),
        ("/incident@Our_BOT x", Command("incident", "x", ours=True)),
        ("/incident@OtherBot x", Command("incident", "x", ours=False)),
        ("/open", Command("open", "", ours=True)),
        ("/start aB-3", Command("start", "aB-3", ours=True)),
        ("/incident, срочно", Command("incident", ", срочно", ours=True)),
        ("Насос /incident", None),
        ("/etc/hosts пропал", None),
        ("/инцидент", None),
        ("/ incident", None),
        ("", None),
    ],
)
def test_commands(text, found):
    assert command(message(text=text), username="our_bot") == found
    assert command(message(photo=[{}], caption=text), username="our_bot") == found


def test_a_command_is_marked_by_an_entity_at_the_start():
    text = "/incident x"
    marked = message(text=text, entities=[entity("bot_command", 0, 9)])
    assert command(marked, username="our_bot") == Command("incident", "x", ours=True)
    assert command(message(text=text, entities=[entity("code", 0, 9)]), username="our_bot") is None
    assert command(message(text=text, entities=[entity("bold", 10, 1)]), username="our_bot")


def test_commands_in_rich_messages():
    name = {"type": "bot_command", "text": "/incident", "bot_command": "/incident"}
    given = message(rich_message=paragraphs([name, " Насос"], "стоит"))
    assert command(given, username="our_bot") == Command("incident", "Насос\nстоит", ours=True)
    assert command(message(rich_message=paragraphs("/incident Насос")), username="our_bot") is None


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        # Offsets count UTF-16 units: the emoji has two.
        ({"text": "😀 @Our_Bot течь", "entities": [entity("mention", 3, 8)]}, True),
        ({"photo": [{}], "caption": "😀 @our_bot", "caption_entities": [entity("mention", 3, 8)]}, True),
        ({"text": "Бот, течь", "entities": [entity("text_mention", 0, 3, user=BOT)]}, True),
        ({"rich_message": paragraphs({"type": "mention", "text": "@our_bot", "username": "our_bot"})}, True),
        ({"rich_message": paragraphs({"type": "text_mention", "text": "Бот", "user": BOT})}, True),
        ({"text": "@our_bot_2 x", "entities": [entity("mention", 0, 10)]}, False),
        ({"text": "@our_bot x", "entities": [entity("code", 0, 8)]}, False),
        ({"text": "/incident@our_bot", "entities": [entity("bot_command", 0, 17)]}, False),
        ({"rich_message": paragraphs("our_bot")}, False),
        ({"photo": [{}]}, False),
    ],
)
def test_mentions(fields, found):
    assert (not texts.read(message(**fields)).mentions.isdisjoint(("our_bot", BOT["id"]))) is found
