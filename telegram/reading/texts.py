"""Which messages are commands, and which mention the bot."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telegram.reading.reports import Fields, rich_text, typed_text
from telegram.reading.values import dictionary, integer, sequence, string

_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,64})(?:@(?P<bot>[A-Za-z0-9_]{1,64}))?(?![\w/<>@])")


@dataclass(frozen=True, slots=True)
class Command:
    """`/name@bot text`: the name in lower case; `ours` unless it is addressed to another bot."""

    name: str
    text: str
    ours: bool


def command(message: object, *, username: str) -> Command | None:
    """The command that a text, caption or rich message starts with. `username` is the bot's, without @."""
    fields = dictionary(message)
    rich = rich_text(fields)
    text = typed_text(fields, rich)
    found = _COMMAND.match(text)
    if not found:
        return None
    if rich.text:
        if all(element.get("type") != "bot_command" for element in rich.elements):
            return None
    else:
        # A command that is shown as code or as a link is spoken about, not given.
        at_start = {kind for kind, offset, _length, _entity in _entities(fields) if offset == 0}
        if at_start and "bot_command" not in at_start:
            return None
    bot = found["bot"]
    return Command(
        name=found["name"].lower(),
        text=text[found.end() :].strip(),
        ours=bot is None or bot.lower() == username.lower(),
    )


def mentions(message: object, *, username: str, bot_id: int) -> bool:
    """Whether a text, caption or rich message names the bot anywhere."""
    fields = dictionary(message)
    name = f"@{username}".lower()
    rich = rich_text(fields)
    for element in rich.elements:
        if element.get("type") == "mention" and string(element.get("username")).lower().lstrip("@") == name[1:]:
            return True
        if element.get("type") == "text_mention" and dictionary(element.get("user")).get("id") == bot_id:
            return True
    if rich.text:
        return False
    # Without the addresses of links: entities name places in the text as it was typed.
    encoded = (string(fields.get("text")) or string(fields.get("caption"))).encode("utf-16-le")
    for kind, offset, length, entity in _entities(fields):
        if kind == "text_mention" and dictionary(entity.get("user")).get("id") == bot_id:
            return True
        mentioned = encoded[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")
        if kind == "mention" and mentioned.lower() == name:
            return True
    return False


def _entities(message: Fields) -> Iterator[tuple[str, int, int, Fields]]:
    """Type, offset and length in UTF-16 units, and the entity, of those of the text or caption."""
    for entity in map(dictionary, sequence(message.get("entities" if message.get("text") else "caption_entities"))):
        offset, length = integer(entity.get("offset")), integer(entity.get("length"))
        if offset is not None and length is not None and offset >= 0 and 0 < length <= 4096:
            yield string(entity.get("type")), offset, length, entity
