"""What the author of a message typed: the words, the command that they start with, and whom they mention."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telegram.reading.authors import first_shown
from telegram.reading.kinds import medium_of_block
from telegram.reading.rich import RichText, flatten, linked
from telegram.reading.values import Fields, dictionary, integer, sequence, string

_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,64})(?:@(?P<bot>[A-Za-z0-9_]{1,64}))?(?![\w/<>@])")
# Also behind the names of those whom it addresses
_URGENT = re.compile(r"\s*(?:@\w+[\s,:]+)*!")


@dataclass(frozen=True, slots=True)
class Command:
    """`/name@bot text`: the name in lower case; `bot` is empty unless the command is addressed to one."""

    name: str
    text: str
    bot: str

    def is_for(self, username: str) -> bool:
        return not self.bot or self.bot.lower() == username.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """
    The text, caption or rich message of a message.

    `words` come with the addresses of links, and are empty if nothing of them is visible. `mentions` are usernames in
    lower case, without @, and ids of users. `rich` is empty unless it is a rich message.
    """

    words: str
    rich: RichText
    command: Command | None
    mentions: frozenset[str | int]


def read(message: Fields) -> Text:
    """Reads what the author of a message typed."""
    rich = flatten(message.get("rich_message"), medium_of_block)
    words = first_shown(rich.text, linked(message, "text", "entities"), linked(message, "caption", "caption_entities"))
    entities = [] if rich.text else list(_entities(message))
    command = find_command(words)
    return Text(
        words=words,
        rich=rich,
        command=command if command and _is_given(rich, entities) else None,
        mentions=frozenset([*_mentions_in_rich(rich), *_mentions(message, entities)]),
    )


def find_command(words: str) -> Command | None:
    """Returns the command that a text starts with."""
    found = _COMMAND.match(words)
    if not found:
        return None
    return Command(name=found["name"].lower(), text=words[found.end() :].strip(), bot=found["bot"] or "")


def is_urgent(words: str) -> bool:
    """Tells whether a text begins with `!`, as sentences do not: they end with it."""
    return _URGENT.match(words) is not None


type _Entity = tuple[str, int, int, Fields]  # type, offset and length in UTF-16 units, and the entity


def _is_given(rich: RichText, entities: list[_Entity]) -> bool:
    """Whether a command at the start is given: one that is shown as code or as a link is spoken about."""
    if rich.text:
        return any(element.get("type") == "bot_command" for element in rich.elements)
    at_start = {kind for kind, offset, _length, _entity in entities if offset == 0}
    return not at_start or "bot_command" in at_start


def _mentions_in_rich(rich: RichText) -> Iterator[str | int]:
    for element in rich.elements:
        if element.get("type") == "mention":
            yield string(element.get("username")).lower().lstrip("@")
        if element.get("type") == "text_mention" and (user_id := integer(dictionary(element.get("user")).get("id"))):
            yield user_id


def _mentions(message: Fields, entities: list[_Entity]) -> Iterator[str | int]:
    if not entities:
        return
    # Without the addresses of links: entities name places in the text as it was typed.
    encoded = (string(message.get("text")) or string(message.get("caption"))).encode("utf-16-le")
    for kind, offset, length, entity in entities:
        if kind == "text_mention" and (user_id := integer(dictionary(entity.get("user")).get("id"))):
            yield user_id
        mentioned = encoded[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")
        if kind == "mention" and mentioned.startswith("@"):
            yield mentioned[1:].lower()


def _entities(message: Fields) -> Iterator[_Entity]:
    for entity in map(dictionary, sequence(message.get("entities" if message.get("text") else "caption_entities"))):
        offset, length = integer(entity.get("offset")), integer(entity.get("length"))
        if offset is not None and length is not None and offset >= 0 and 0 < length <= 4096:
            yield string(entity.get("type")), offset, length, entity
