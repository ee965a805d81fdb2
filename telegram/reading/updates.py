"""An update as typed values (https://core.telegram.org/bots/api#update)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from telegram.reading import reports
from telegram.reading.authors import Author, author_of_user, chat_name
from telegram.reading.reports import NotUnderstoodError, Report
from telegram.reading.values import Fields, dictionary, integer, line, string, timestamp

MESSAGES = ["message", "edited_message", "channel_post", "edited_channel_post"]
# What every call that asks for updates names: Telegram remembers the list of the last call that had one.
ALLOWED_UPDATES = [*MESSAGES, "callback_query", "my_chat_member"]
# Kinds that are known and not asked for
OTHER_UPDATES = {
    "business_connection", "business_message", "chat_boost", "chat_join_request", "chat_member",
    "chosen_inline_result", "deleted_business_messages", "edited_business_message", "guest_message", "inline_query",
    "managed_bot", "message_reaction", "message_reaction_count", "poll", "poll_answer", "pre_checkout_query",
    "purchased_paid_media", "removed_chat_boost", "shipping_query", "stopped_message_generation", "subscription",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chat:
    """`type` is private, group, supergroup or channel; `name` is its title, or the name of the person."""

    id: int
    type: str
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class CallbackQuery:
    """The press of a button. `message_id` is the message that the button is under."""

    id: str
    data: str
    message_id: int | None
    author: Author | None


@dataclass(frozen=True, slots=True)
class Membership:
    """
    What the bot may do in a chat since a `my_chat_member` update.

    `sees_all` is whether it receives every message in spite of privacy mode.
    """

    status: str
    can_send: bool
    sees_all: bool
    at: datetime | None


@dataclass(frozen=True)
class Update:
    """
    What an update is about.

    `kind` is the name of the field that holds what it tells; one that is not in ALLOWED_UPDATES is not handled. By its
    kind, that is in `report`, `callback_query` or `membership`. `own_id` is the id that a callback query, for example,
    has beside that of its update. `migrations` are (old, new) ids of the chat, where a message says that the group
    became a supergroup.
    """

    id: int
    kind: str
    own_id: str
    chat: Chat | None
    migrations: tuple[tuple[int, int], ...]
    _payload: Fields = field(repr=False)

    @property
    def is_handled(self) -> bool:
        return self.kind in ALLOWED_UPDATES

    @property
    def is_edit(self) -> bool:
        return self.kind in ("edited_message", "edited_channel_post")

    @cached_property
    def report(self) -> Report:
        """
        The message, or the edit of one.

        It is read once, in the language that is active when it is first asked for: the chat, which has one, is looked
        up before. Raises NotUnderstoodError.
        """
        return reports.read(self._payload, without_command=True)

    @property
    def callback_query(self) -> CallbackQuery:
        """The press of a button."""
        sender = dictionary(self._payload.get("from"))
        return CallbackQuery(
            id=string(self._payload.get("id")),
            data=string(self._payload.get("data")),
            message_id=integer(dictionary(self._payload.get("message")).get("message_id")),
            author=author_of_user(sender) if sender else None,
        )

    @property
    def membership(self) -> Membership:
        """The bot's rights in the chat. Raises NotUnderstoodError."""
        is_channel = self.chat is not None and self.chat.type == "channel"
        member, at = dictionary(self._payload.get("new_chat_member")), timestamp(self._payload.get("date"))
        match status := member.get("status"):
            case "creator":
                return Membership(status, can_send=True, sees_all=True, at=at)
            case "administrator":
                can_send = not is_channel or member.get("can_post_messages") is True
                return Membership(status, can_send=can_send, sees_all=True, at=at)
            case "member":
                return Membership(status, can_send=not is_channel, sees_all=False, at=at)
            case "restricted":
                can_send = member.get("is_member") is True and member.get("can_send_messages") is True
                return Membership(status, can_send=can_send, sees_all=False, at=at)
            case "left" | "kicked":
                return Membership(status, can_send=False, sees_all=False, at=at)
        raise NotUnderstoodError("The bot's status in the chat is not known.")


def read(payload: object) -> Update:
    """Reads an update. Raises NotUnderstoodError."""
    fields = {key: value for key, value in dictionary(payload).items() if value is not None}
    update_id = integer(fields.pop("update_id", None))
    if update_id is None:
        raise NotUnderstoodError("The update has no update_id.")
    kind = next((kind for kind in ALLOWED_UPDATES if kind in fields), None) or next(iter(fields), None)
    if kind is None:
        raise NotUnderstoodError("The update holds nothing.")
    content = dictionary(fields[kind])
    if kind in ALLOWED_UPDATES and not content:
        raise NotUnderstoodError(f"The update's {kind} is no object.")
    message = dictionary(content.get("message")) if kind == "callback_query" else {}
    return Update(
        id=update_id,
        kind=string(kind),
        own_id=string(content.get("id"))[:100],
        chat=chat_of(content.get("chat")) or chat_of(message.get("chat")),
        migrations=tuple(_migrations(content)) if kind in MESSAGES else (),
        _payload=content,
    )


def chat_of(chat: object) -> Chat | None:
    """Reads a `Chat`; returns None if it has no id."""
    fields = dictionary(chat)
    chat_id = integer(fields.get("id"))
    if not chat_id:
        return None
    return Chat(chat_id, line(fields.get("type")), name=chat_name(fields), username=line(fields.get("username")))


def _migrations(message: Fields) -> Iterator[tuple[int, int]]:
    chat_id = integer(dictionary(message.get("chat")).get("id"))
    new, old = integer(message.get("migrate_to_chat_id")), integer(message.get("migrate_from_chat_id"))
    if chat_id and new and chat_id != new:
        yield chat_id, new
    if chat_id and old and chat_id != old:
        yield old, chat_id
