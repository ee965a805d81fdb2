"""
A message of a chat as a typed value, its content in words.

Pure functions of `Message` objects as the Bot API 10.3 has them (https://core.telegram.org/bots/api#message). The words
are in the language that is active. Whatever a message holds, nothing but `NotUnderstoodError` is raised.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks
from telegram.reading import texts
from telegram.reading.authors import Author, author_of, chat_name, user_name
from telegram.reading.files import File, files_of
from telegram.reading.kinds import MEDIA, METADATA, PICTURES, SERVICE, SKIPPED, is_live, mark
from telegram.reading.rich import quoted
from telegram.reading.values import Fields, dictionary, integer, line, sequence, shortened, string, timestamp

ANSWERED_MAX_LENGTH = 4_000  # of the message that a reply quotes
ZERO_CHANNEL_ID = -(10**12)  # a supergroup's or channel's chat id is this minus the channel's id

ANSWERED_PARTS = (
    ("reply_to_checklist_task_id", "checklist", "tasks", "id", gettext_noop("task")),
    ("reply_to_poll_option_id", "poll", "options", "persistent_id", gettext_noop("option")),
)

# Fields of messages whose chat and message id may coincide with those of others.
NOT_IDENTIFYING = {"ephemeral_message_id", "business_connection_id", "guest_query_id"}


class NotUnderstoodError(ValueError):
    """The sentence says what is missing or wrong."""


# A fault, which can be replayed once the incident was restored
ARCHIVED = "Its incident is archived."


class Skip(StrEnum):
    """Why a message is not recorded. Operators read the value in the notes of its delivery."""

    SERVICE = "service message"
    STICKER = "sticker"
    DICE = "dice"
    GAME = "game"
    GIVEAWAY = "giveaway"
    OTHER_BOTS_COMMAND = "a command for another bot"
    OTHER_COMMAND = "a command"
    EMPTY_COMMAND = "a command without text"
    OWN_MESSAGE = "a message of this bot"
    NOT_ALLOWED = "the chat is not allowed"
    NOT_ADDRESSED = "not addressed to the bot"
    MOVED = "a live location that moved"


@dataclass(frozen=True, slots=True)
class Replied:
    """What tells whether the message that another one replies to is a card: its sender, text and buttons' data."""

    author_id: int | None
    text: str
    buttons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    A message in words.

    `message_id` is None where it identifies nothing: ephemeral and scheduled messages, and those of business accounts
    and guests, whose chat ids coincide with others. `description` is never blank and has at most 20,000 characters;
    `has_text` tells whether its author typed any of it, and `typed` is that part. `carried` names and links the medium
    of a part of an album with a caption, of which the description holds the caption alone. `skip` is why a message of
    this kind is no report, None if it is one. `is_live` marks a live location: its edits only move it. `thread_id` is
    set only in a topic, `reply_to` only for a reply to a message of the same chat, and `answered` quotes that message,
    as far as the update holds it. `copy_of` is the chat and message id of the channel post that Telegram itself copied
    into the channel's discussion group. `mentions` are usernames in lower case, without @, and ids of users.
    """

    chat_id: int
    message_id: int | None
    kind: str
    description: str
    carried: str
    has_text: bool
    typed: str
    unknown: bool
    skip: Skip | None
    is_live: bool
    command: texts.Command | None
    mentions: frozenset[str | int]
    author: Author
    language_code: str  # of the author's app
    date: datetime | None
    edited: datetime | None
    thread_id: int | None
    direct_topic_id: int | None
    media_group_id: str | None
    reply_to: int | None
    answered: str
    replied: Replied | None
    copy_of: tuple[int, int] | None
    link: str | None
    _fields: Fields = field(repr=False, compare=False)

    @property
    def is_urgent(self) -> bool:
        return texts.is_urgent(self.typed)

    @property
    def files(self) -> list[File]:
        return files_of(self._fields)

    def as_comment(self) -> "Report":
        """Returns the report as a comment: there, each part of an album stands for itself."""
        if not self.carried:
            return self
        return replace(self, description=fitted(f"{self.description}\n{self.carried}"), carried="")

    def with_answered(self) -> "Report":
        """Returns the report with the message that it replies to: for replies to what is not recorded."""
        return replace(self, description=fitted(f"{self.answered}\n{self.description}")) if self.answered else self

    def read_replied(self) -> "Report | None":
        """Reads the message that this one replies to. Raises NotUnderstoodError."""
        reply = _reply(self._fields)
        return read({"chat": self._fields.get("chat")} | reply) if reply else None

    def read_original(self) -> "Report":
        """Reads the channel post that this message is a copy of, as the copy tells it. Raises NotUnderstoodError."""
        origin = dictionary(self._fields.get("forward_origin"))
        return read(self._fields | {key: origin.get(key) for key in ("chat", "message_id")})


def read(message: object, *, without_command: bool = False) -> Report:
    """
    Reads a message. Raises NotUnderstoodError.

    `without_command` leaves out the name of a command that the text starts with.
    """
    fields = _present(message)
    chat = dictionary(fields.get("chat"))
    chat_id = integer(chat.get("id"))
    if not chat_id:
        raise NotUnderstoodError("The message names no chat.")
    number = integer(fields.get("message_id"))
    if number is None:
        raise NotUnderstoodError("The message has no message_id.")
    identified = number != 0 and not fields.keys() & NOT_IDENTIFYING
    thread_id = integer(fields.get("message_thread_id")) if fields.get("is_topic_message") is True else None
    link = message_link(chat_id, line(chat.get("username")), number, thread_id) if identified else None
    text = texts.read(fields)
    content = _content(fields, text, text.command if without_command else None)
    carried = _carried(content, link)
    is_captioned_part = content.has_text and "media_group_id" in fields
    reply, external = _reply(fields), dictionary(fields.get("external_reply"))
    here, elsewhere = (external, {}) if _is_of_chat(external, chat_id) else ({}, external)
    return Report(
        chat_id=chat_id,
        message_id=number if identified else None,
        kind=content.kind,
        description=_description(fields, content, elsewhere, "" if is_captioned_part else carried),
        carried=carried if is_captioned_part else "",
        has_text=content.has_text,
        typed=content.words if content.has_text else "",
        unknown=content.unknown,
        skip=content.skip,
        is_live=content.kind == "location" and is_live(fields),
        command=text.command,
        mentions=text.mentions,
        author=author_of(fields),
        language_code=string(dictionary(fields.get("from")).get("language_code")),
        date=timestamp(fields.get("date")),
        edited=timestamp(fields.get("edit_date")),
        thread_id=thread_id,
        direct_topic_id=integer(dictionary(fields.get("direct_messages_topic")).get("topic_id")),
        media_group_id=shortened(string(fields.get("media_group_id")), 100) or None,
        reply_to=integer((reply or here).get("message_id")) or None,
        answered=_answered(fields, reply) if reply else _external(here) if here else "",
        replied=_replied(reply) if reply else None,
        copy_of=_copied_post(fields),
        link=link,
        _fields=fields,
    )


def _present(message: object) -> Fields:
    return {key: value for key, value in dictionary(message).items() if value is not None}


def album_description(parts: Iterable[tuple[str, bool]]) -> str:
    """
    Joins the captions of an album's parts, or else what the parts are, in the order given.

    A part is the description of its report, and whether its author typed any of it.
    """
    parts = list(parts)
    words = [description for description, has_text in parts if has_text] or [description for description, _ in parts]
    return fitted("\n".join(dict.fromkeys(words)))


def fitted(description: str) -> str:
    """Cuts a text, with a mark, to what a description may have."""
    return shortened(normalize_line_breaks(description).strip(), DESCRIPTION_MAX_LENGTH, " […]")


# Where a message stands


def message_link(chat_id: int, username: str, message_id: int, thread_id: int | None = None) -> str | None:
    """Returns the address of a message in a supergroup or channel; other chats have none."""
    if chat_id >= ZERO_CHANNEL_ID or message_id <= 0:
        return None
    place = username if username.isascii() and username.isidentifier() else f"c/{ZERO_CHANNEL_ID - chat_id}"
    return f"https://t.me/{place}/{f'{thread_id}/' if thread_id else ''}{message_id}"


def _reply(message: Fields) -> Fields:
    """
    The message of the same chat that this one replies to; empty if there is none.

    In a topic Telegram names the topic's first message where nothing is replied to.
    """
    reply = dictionary(message.get("reply_to_message"))
    starts_topic = "forum_topic_created" in reply or (
        message.get("is_topic_message") is True and reply.get("message_id") == message.get("message_thread_id")
    )
    return {} if starts_topic else reply


def _replied(reply: Fields) -> Replied:
    keyboard = sequence(dictionary(reply.get("reply_markup")).get("inline_keyboard"))
    buttons = (dictionary(button) for row in keyboard for button in sequence(row))
    return Replied(
        author_id=integer(dictionary(reply.get("from")).get("id")),
        text=string(reply.get("text")),
        buttons=tuple(string(button.get("callback_data")) for button in buttons),
    )


def _is_of_chat(external: Fields, chat_id: int) -> bool:
    """Whether it is of another topic of the same chat."""
    return dictionary(external.get("chat")).get("id") == chat_id and bool(integer(external.get("message_id")))


def _copied_post(message: Fields) -> tuple[int, int] | None:
    if message.get("is_automatic_forward") is not True:
        return None
    origin = dictionary(message.get("forward_origin"))
    chat_id = integer(dictionary(origin.get("chat")).get("id"))
    message_id = integer(origin.get("message_id"))
    return (chat_id, message_id) if chat_id and message_id else None


# Words


class _Content(NamedTuple):
    """`words` are the author's, or else what stands for them; `mark` names what the words come with."""

    kind: str
    words: str
    mark: str = ""
    has_text: bool = False
    unknown: bool = False
    skip: Skip | None = None
    needs_link: bool = False


def _content(message: Fields, text: texts.Text, command: texts.Command | None = None) -> _Content:
    """Of a `command` that is given, its text alone is what the author typed."""
    media = _kind(message, MEDIA)
    typed = text.words if command is None else command.text
    if not is_blank(typed):
        return _Content(
            kind=media or ("text" if is_blank(text.rich.text) else "rich_message"),
            words=typed,
            mark=MEDIA[media](message) if media else "",
            has_text=True,
            unknown=bool(text.rich.unknown),
            needs_link=bool(media) or text.rich.has_media,
        )
    if skipped := _kind(message, SKIPPED):
        skip = Skip(skipped.removesuffix("_winners"))
        return _Content(kind=skipped, words=SKIPPED[skipped](message[skipped]), skip=skip)
    if media:
        words = mark(_(PICTURES[media]), _("no text")) if media in PICTURES else MEDIA[media](message)
        return _Content(kind=media, words=words, needs_link=True)
    if service := next((kind for kind in message if kind in SERVICE), None):
        return _Content(kind=service, words=mark(_("service message"), service), skip=Skip.SERVICE)
    if command or ("rich_message" not in message and "text" in message):
        return _Content(kind="text", words=mark(_("no text")), needs_link=True)
    names = ", ".join(sorted(string(key) for key in message if key not in METADATA))
    words = _("[message of an unknown kind: %s]") % shortened(line(names) or "?", 200)
    return _Content(kind="unknown", words=words, unknown=True, needs_link=True)


def _kind(message: Fields, kinds: Mapping[str, object]) -> str | None:
    """The first of the kinds that the message has a field of."""
    return None if kinds.keys().isdisjoint(message) else next(kind for kind in kinds if kind in message)


def _carried(content: _Content, link: str | None) -> str:
    shown_link = link if content.needs_link and link else ""
    return f"{content.mark} {shown_link}".strip() if content.mark else shown_link


def _description(message: Fields, content: _Content, elsewhere: Fields, carried: str) -> str:
    return fitted("\n".join([*_context(message, elsewhere), content.words, *([carried] if carried else [])]))


def _context(message: Fields, elsewhere: Fields) -> Iterator[str]:
    """What a message refers to: where it was forwarded from, the message of another chat it replies to, its quote."""
    if "forward_origin" in message and message.get("is_automatic_forward") is not True:
        yield _("[forwarded from %s]") % _origin(message["forward_origin"])
    if elsewhere:
        yield _external(elsewhere)
    if story := dictionary(message.get("reply_to_story")):
        yield _("[reply to a story by %s]") % chat_name(story.get("chat"))
    yield from _answered_part(message)
    quote = string(dictionary(message.get("quote")).get("text"))
    if not is_blank(quote):
        yield quoted(quote)


def _external(reply: Fields) -> str:
    """Of a message that the update names but does not hold."""
    kind = next((kind for kind in (*MEDIA, *SKIPPED) if kind in reply), None)
    medium = "" if kind is None else MEDIA[kind](reply) if kind in MEDIA else SKIPPED[kind](reply[kind])
    chat = dictionary(reply.get("chat"))
    names = dict.fromkeys([_origin(reply.get("origin")), *([chat_name(chat)] if chat else [])])
    return " ".join(filter(None, [_("[reply to %s]") % ", ".join(names), medium]))


def _answered(message: Fields, reply: Fields) -> str:
    """Who wrote the message that this one replies to, and its text, unless its author chose a part to be quoted."""
    fields = _present(reply)
    content = _content(fields, texts.read(fields))
    if content.kind == "unknown" or content.kind in SERVICE:
        return ""
    lines = [_("[reply to %s]") % author_of(reply).name]
    if is_blank(string(dictionary(message.get("quote")).get("text"))):
        words = "\n".join(filter(None, [content.words, content.mark]))
        lines.append(quoted(shortened(words, ANSWERED_MAX_LENGTH)))
    return "\n".join(lines)


def _answered_part(message: Fields) -> Iterator[str]:
    """The task of a checklist, or the option of a poll, that a message replies to."""
    for asked, medium, parts, key, name in ANSWERED_PARTS:
        number = message.get(asked)
        if not isinstance(number, int | str):
            continue
        reply = dictionary(message.get("reply_to_message")) or dictionary(message.get("external_reply"))
        of_medium = map(dictionary, sequence(dictionary(reply.get(medium)).get(parts)))
        found = next((line(part.get("text")) for part in of_medium if part.get(key) == number), "")
        yield quoted(found) if not is_blank(found) else mark(f"{_(name)} {shortened(line(str(number)), 50)}")


def _origin(origin: object) -> str:
    fields = dictionary(origin)
    signature = line(fields.get("author_signature"))
    match fields.get("type"):
        case "user":
            name = user_name(dictionary(fields.get("sender_user")))
        case "hidden_user":
            name = line(fields.get("sender_user_name"))
        case "chat":
            name = chat_name(fields.get("sender_chat"))
        case "channel":
            name = chat_name(fields.get("chat"))
        case _:
            name = ""
    name = name if not is_blank(name) else _("unknown author")
    return f"{name} ({signature})" if signature else name
