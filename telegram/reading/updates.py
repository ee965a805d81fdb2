"""What an update, or a response that tells of a migration, is about (https://core.telegram.org/bots/api#update)."""

from dataclasses import dataclass
from datetime import datetime

from telegram.reading.reports import Author, Fields, NotUnderstoodError, author_of, author_of_user, chat_name
from telegram.reading.values import dictionary, integer, line, string, timestamp

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
    is_forum: bool


@dataclass(frozen=True, slots=True)
class Update:
    """
    `kind` is the name of the field that holds `payload`; one that is not in ALLOWED_UPDATES is not handled.

    `message` is what `reports.read` reads, for a message or its edit, or the message under whose button was pressed.
    """

    id: int
    kind: str
    payload: Fields
    chat: Chat | None
    message: Fields | None
    edited: bool
    date: datetime | None
    author: Author | None

    @property
    def is_handled(self) -> bool:
        return self.kind in ALLOWED_UPDATES


def parse(update: object) -> Update:
    """Raises NotUnderstoodError."""
    fields = {key: value for key, value in dictionary(update).items() if value is not None}
    update_id = integer(fields.pop("update_id", None))
    if update_id is None:
        raise NotUnderstoodError("The update has no update_id.")
    kind = next((kind for kind in ALLOWED_UPDATES if kind in fields), None) or next(iter(fields), None)
    if kind is None:
        raise NotUnderstoodError("The update holds nothing.")
    payload = dictionary(fields[kind])
    if kind in ALLOWED_UPDATES and not payload:
        raise NotUnderstoodError(f"The update's {kind} is no object.")
    message = payload if kind in MESSAGES else dictionary(payload.get("message")) if kind == "callback_query" else None
    edited = kind in ("edited_message", "edited_channel_post")
    sender = payload.get("from")
    return Update(
        id=update_id,
        kind=string(kind),
        payload=payload,
        chat=chat_of(payload.get("chat")) or chat_of((message or {}).get("chat")),
        message=message or None,
        edited=edited,
        date=timestamp(payload.get("edit_date" if edited else "date")),
        author=author_of(payload) if kind in MESSAGES else author_of_user(sender) if dictionary(sender) else None,
    )


def chat_of(chat: object) -> Chat | None:
    fields = dictionary(chat)
    chat_id = integer(fields.get("id"))
    if not chat_id:
        return None
    return Chat(
        id=chat_id,
        type=line(fields.get("type")),
        name=chat_name(fields),
        username=line(fields.get("username")),
        is_forum=fields.get("is_forum") is True,
    )


@dataclass(frozen=True, slots=True)
class Membership:
    """
    What the bot may do in a chat since a `my_chat_member` update.

    `sees_all` is whether it receives every message in spite of privacy mode.
    """

    status: str
    is_present: bool
    can_send: bool
    sees_all: bool


def membership(update: Update) -> Membership:
    """Raises NotUnderstoodError."""
    member = dictionary(update.payload.get("new_chat_member"))
    is_channel = update.chat is not None and update.chat.type == "channel"
    match status := member.get("status"):
        case "creator":
            return Membership(status, is_present=True, can_send=True, sees_all=True)
        case "administrator":
            can_send = member.get("can_post_messages") is True if is_channel else True
            return Membership(status, is_present=True, can_send=can_send, sees_all=True)
        case "member":
            return Membership(status, is_present=True, can_send=not is_channel, sees_all=False)
        case "restricted":
            is_present = member.get("is_member") is True
            can_send = is_present and member.get("can_send_messages") is True
            return Membership(status, is_present=is_present, can_send=can_send, sees_all=False)
        case "left" | "kicked":
            return Membership(status, is_present=False, can_send=False, sees_all=False)
    raise NotUnderstoodError("The bot's status in the chat is not known.")


def migrations(payload: object, *, asked: int | None = None) -> list[tuple[int, int]]:
    """
    (old, new) ids of the chat that an update says was upgraded.

    Of a response with an error too: it names the new chat only, `asked` is the chat that the call was about.
    """
    found: dict[tuple[int, int], None] = {}
    fields = dictionary(payload)
    new = integer(dictionary(fields.get("parameters")).get("migrate_to_chat_id"))
    if asked and new:
        found[asked, new] = None
    for kind in MESSAGES:
        message = dictionary(fields.get(kind))
        chat_id = integer(dictionary(message.get("chat")).get("id"))
        new, old = integer(message.get("migrate_to_chat_id")), integer(message.get("migrate_from_chat_id"))
        if chat_id and new:
            found[chat_id, new] = None
        if chat_id and old:
            found[old, chat_id] = None
    return [(old, new) for old, new in found if old != new]
