"""
What a message of a chat says: the table from each kind of message to its words.

Pure functions of `Message` objects as the Bot API 10.3 has them (https://core.telegram.org/bots/api#message). The words
are in the language that is active. Whatever a message holds, nothing but `NotUnderstoodError` is raised.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks
from telegram.reading.rich import RichText, flatten, quoted, with_address
from telegram.reading.values import dictionary, integer, line, sequence, shortened, string, timestamp

AUTHOR_MAX_LENGTH = 150
ANSWERED_MAX_LENGTH = 4_000  # of the message that a reply quotes
ZERO_CHANNEL_ID = -(10**12)  # a supergroup's or channel's chat id is this minus the channel's id

GROUP_ANONYMOUS_BOT = 1087968824
# Accounts in whose name many write: Group Anonymous Bot, Channel Bot, Telegram itself, Replies.
SHARED_ACCOUNTS = {GROUP_ANONYMOUS_BOT, 136817688, 777000, 1271266957}
# Fields of messages whose chat and message id may coincide with those of others.
NOT_IDENTIFYING = {"ephemeral_message_id", "business_connection_id", "guest_query_id"}

Fields = dict[str, Any]


class NotUnderstoodError(ValueError):
    """The sentence says what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Author:
    """
    Who wrote a message.

    `name` has at most 150 characters. `user_id` is the account, where one person or program surely stands behind it:
    None for chats, bots and shared accounts. `bot_id` is the account of another program that wrote as itself.
    """

    name: str
    user_id: int | None = None
    bot_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    A message in words.

    `message_id` is None where it identifies nothing: ephemeral and scheduled messages, and those of business accounts
    and guests, whose chat ids coincide with others. `description` is never blank and has at most 20,000 characters;
    `has_text` tells whether its author typed any of it, and `typed` is that part. `carried` names and links the medium
    of a part of an album with a caption, of which the description holds the caption alone. `skip` is why a message of
    this kind is no report, in English: a word of the catalog.
    `is_live` marks a live location: its edits only move it. `thread_id` is set only in a topic, `reply_to` only for a
    reply to a message of the same chat, and `answered` quotes that message, as far as the update holds it. `copy_of` is
    the chat and message id of the channel post that Telegram itself copied into the channel's discussion group.
    """

    chat_id: int
    message_id: int | None
    kind: str
    description: str
    carried: str
    has_text: bool
    typed: str
    unknown: bool
    skip: str | None
    is_live: bool
    author: Author
    date: datetime | None
    edited: datetime | None
    thread_id: int | None
    direct_topic_id: int | None
    media_group_id: str | None
    reply_to: int | None
    answered: str
    copy_of: tuple[int, int] | None
    link: str | None

    def as_comment(self) -> "Report":
        """The report as a comment: there, each part of an album stands for itself."""
        if not self.carried:
            return self
        return replace(self, description=fitted(f"{self.description}\n{self.carried}"), carried="")

    def with_answered(self) -> "Report":
        """The report with the message that it replies to: for replies to what is not recorded."""
        return replace(self, description=fitted(f"{self.answered}\n{self.description}")) if self.answered else self


def read(message: object, *, text: str | None = None) -> Report:
    """`text` replaces what the author typed: that of a command without its name. Raises NotUnderstoodError."""
    fields = {key: value for key, value in dictionary(message).items() if value is not None}
    chat = dictionary(fields.get("chat"))
    chat_id = integer(chat.get("id"))
    if not chat_id:
        raise NotUnderstoodError("The message names no chat.")
    number = integer(fields.get("message_id"))
    if number is None:
        raise NotUnderstoodError("The message has no message_id.")
    identified = number != 0 and not fields.keys() & NOT_IDENTIFYING
    thread_id = integer(fields.get("message_thread_id")) if fields.get("is_topic_message") is True else None
    link = message_link(chat, number, thread_id) if identified else None
    content = _content(fields, text)
    carried = _carried(content, link)
    is_captioned_part = content.has_text and "media_group_id" in fields
    reply, external = replied(fields), _external_reply(fields)
    elsewhere = external if external and not _is_of_chat(external, chat_id) else None
    here = external if external and elsewhere is None else None
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
        is_live=content.kind == "location" and _is_live(fields),
        author=author_of(fields),
        date=timestamp(fields.get("date")),
        edited=timestamp(fields.get("edit_date")),
        thread_id=thread_id,
        direct_topic_id=integer(dictionary(fields.get("direct_messages_topic")).get("topic_id")),
        media_group_id=shortened(string(fields.get("media_group_id")), 100) or None,
        reply_to=integer((reply or here or {}).get("message_id")) or None,
        answered=_answered(fields, reply) if reply else _external(here) if here else "",
        copy_of=_copied_post(fields),
        link=link,
    )


def album_description(parts: Iterable[tuple[str, bool]]) -> str:
    """
    The captions of an album's parts, or else what the parts are, in the order given.

    A part is the description of its report, and whether its author typed any of it.
    """
    parts = list(parts)
    words = [description for description, has_text in parts if has_text] or [description for description, _ in parts]
    return fitted("\n".join(dict.fromkeys(words)))


def fitted(description: str) -> str:
    """Cut, with a mark, to what a description may have."""
    return shortened(normalize_line_breaks(description).strip(), DESCRIPTION_MAX_LENGTH, " […]")


# Authors


def author_of(message: Fields) -> Author:
    """Whom a message is by: the user, or the chat in whose name it was sent with the signature of who sent it."""
    user, chat = dictionary(message.get("from")), dictionary(message.get("sender_chat"))
    if not chat and (not user or user.get("id") == GROUP_ANONYMOUS_BOT):
        chat = dictionary(message.get("chat"))
    if not chat:
        return author_of_user(user)
    origin = dictionary(message.get("forward_origin")) if message.get("is_automatic_forward") is True else {}
    signature = line(message.get("author_signature")) or line(origin.get("author_signature"))
    name = f"{chat_name(chat)} ({signature})" if signature else chat_name(chat)
    return Author(shortened(name, AUTHOR_MAX_LENGTH))


def author_of_user(user: object) -> Author:
    """The author that a `User` is, such as the one who pressed a button."""
    fields = dictionary(user)
    user_id = integer(fields.get("id"))
    name = shortened(_user_name(fields), AUTHOR_MAX_LENGTH)
    if user_id in SHARED_ACCOUNTS:
        return Author(name)
    return Author(name, bot_id=user_id) if fields.get("is_bot") is True else Author(name, user_id=user_id)


def chat_name(chat: object) -> str:
    """A chat's title, the name of the person that a private chat is with, or its id."""
    fields = dictionary(chat)
    return _first_shown(line(fields.get("title")), _full_name(fields)) or _("chat %s") % integer(fields.get("id"))


def _user_name(user: Fields) -> str:
    if name := _full_name(user):
        return name
    user_id = integer(user.get("id"))
    return _("unknown author") if user_id is None else _("deleted account %s") % user_id


def _full_name(fields: Fields) -> str:
    username = line(fields.get("username"))
    names = f"{line(fields.get('first_name'))} {line(fields.get('last_name'))}".strip()
    return _first_shown(names, username and f"@{username}")


def _first_shown(*texts: str) -> str:
    return next((text for text in texts if not is_blank(text)), "")


# Where a message stands


def message_link(chat: Fields, message_id: int, thread_id: int | None = None) -> str | None:
    """The address of a message in a supergroup or channel; other chats have none."""
    chat_id = integer(chat.get("id"))
    if chat_id is None or chat_id >= ZERO_CHANNEL_ID or message_id <= 0:
        return None
    username = line(chat.get("username"))
    place = username if username.isascii() and username.isidentifier() else f"c/{ZERO_CHANNEL_ID - chat_id}"
    return f"https://t.me/{place}/{f'{thread_id}/' if thread_id else ''}{message_id}"


def replied(message: object) -> Fields | None:
    """The message of the same chat that this one replies to: not the start of its topic, which Telegram names else."""
    fields = dictionary(message)
    reply = dictionary(fields.get("reply_to_message"))
    starts_topic = "forum_topic_created" in reply or (
        fields.get("is_topic_message") is True and reply.get("message_id") == fields.get("message_thread_id")
    )
    return None if starts_topic else reply or None


def _external_reply(message: Fields) -> Fields | None:
    """The message of another chat, or of another topic of the same chat, that this one replies to."""
    return dictionary(message.get("external_reply")) or None


def _is_of_chat(external: Fields, chat_id: int) -> bool:
    return dictionary(external.get("chat")).get("id") == chat_id and bool(integer(external.get("message_id")))


def _copied_post(message: Fields) -> tuple[int, int] | None:
    if message.get("is_automatic_forward") is not True:
        return None
    origin = dictionary(message.get("forward_origin"))
    chat_id = integer(dictionary(origin.get("chat")).get("id"))
    message_id = integer(origin.get("message_id"))
    return (chat_id, message_id) if chat_id and message_id else None


# Words


def rich_text(message: Fields) -> RichText:
    return flatten(message.get("rich_message"), _medium)


def typed_text(message: Fields, rich: RichText) -> str:
    """What the author typed, with the addresses of links; empty where nothing of it is visible."""
    return _first_shown(
        rich.text, _linked(message, "text", "entities"), _linked(message, "caption", "caption_entities")
    )


def _linked(message: Fields, text_field: str, entities_field: str) -> str:
    """A text with the address of each link behind its words."""
    text = string(message.get(text_field))
    links = {}
    for entity in map(dictionary, sequence(message.get(entities_field))):
        offset, length = integer(entity.get("offset")), integer(entity.get("length"))
        if entity.get("type") == "text_link" and offset is not None and length is not None and min(offset, length) >= 0:
            links[offset] = (offset + length, string(entity.get("url")))
    if not links:
        return text
    # Offsets and lengths are in UTF-16 code units.
    encoded, parts, shown = text.encode("utf-16-le"), [], 0
    for start, (end, url) in sorted(links.items()):
        if start >= shown:
            words = encoded[2 * start : 2 * end].decode("utf-16-le", "replace")
            parts += [encoded[2 * shown : 2 * start].decode("utf-16-le", "replace"), with_address(words, url)]
            shown = end
    return "".join([*parts, encoded[2 * shown :].decode("utf-16-le", "replace")])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """`words` are the author's, or else what stands for them; `mark` names what the words come with."""

    kind: str
    words: str
    mark: str = ""
    has_text: bool = False
    unknown: bool = False
    skip: str | None = None
    needs_link: bool = False


def _content(message: Fields, text: str | None) -> _Content:
    media = next((kind for kind in MEDIA if kind in message), None)
    rich = rich_text(message)
    typed = typed_text(message, rich) if text is None else string(text)
    if not is_blank(typed):
        kind = media or ("rich_message" if not is_blank(rich.text) else "text")
        mark = MEDIA[media](message) if media else ""
        needs_link = bool(mark) or rich.has_media
        return _Content(
            kind=kind, words=typed, mark=mark, has_text=True, unknown=bool(rich.unknown), needs_link=needs_link
        )
    if skipped := next((kind for kind in SKIPPED if kind in message), None):
        return _Content(kind=skipped, words=SKIPPED[skipped](message[skipped]), skip=skipped.removesuffix("_winners"))
    if media:
        words = _mark(_(PICTURES[media]), _("no text")) if media in PICTURES else MEDIA[media](message)
        return _Content(kind=media, words=words, needs_link=True)
    if service := next((kind for kind in message if kind in SERVICE), None):
        return _Content(kind=service, words=_mark(_("service message"), service), skip="service message")
    if text is not None or ("rich_message" not in message and "text" in message):
        return _Content(kind="text", words=_mark(_("no text")), needs_link=True)
    names = ", ".join(sorted(string(key) for key in message if key not in METADATA))
    mark = _("[message of an unknown kind: %s]") % shortened(line(names) or "?", 200)
    return _Content(kind="unknown", words=mark, unknown=True, needs_link=True)


def _carried(content: _Content, link: str | None) -> str:
    shown_link = link if content.needs_link and link else ""
    return f"{content.mark} {shown_link}".strip() if content.mark else shown_link


def _description(message: Fields, content: _Content, elsewhere: Fields | None, carried: str) -> str:
    return fitted("\n".join([*_context(message, elsewhere), content.words, *([carried] if carried else [])]))


def _context(message: Fields, elsewhere: Fields | None) -> Iterator[str]:
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
    content = _content({key: value for key, value in reply.items() if value is not None}, None)
    if content.kind == "unknown" or content.kind in SERVICE:
        return ""
    lines = [_("[reply to %s]") % author_of(reply).name]
    if is_blank(string(dictionary(message.get("quote")).get("text"))):
        words = "\n".join(filter(None, [content.words, content.mark]))
        lines.append(quoted(shortened(words, ANSWERED_MAX_LENGTH)))
    return "\n".join(lines)


def _answered_part(message: Fields) -> Iterator[str]:
    """The task of a checklist, or the option of a poll, that a message replies to."""
    reply = dictionary(message.get("reply_to_message")) or dictionary(message.get("external_reply"))
    for field, medium, parts, key, name in (
        ("reply_to_checklist_task_id", "checklist", "tasks", "id", _("task")),
        ("reply_to_poll_option_id", "poll", "options", "persistent_id", _("option")),
    ):
        number = message.get(field)
        if not isinstance(number, int | str):
            continue
        of_medium = map(dictionary, sequence(dictionary(reply.get(medium)).get(parts)))
        found = next((line(part.get("text")) for part in of_medium if part.get(key) == number), "")
        yield quoted(found) if not is_blank(found) else _mark(f"{name} {shortened(line(str(number)), 50)}")


def _origin(origin: object) -> str:
    fields = dictionary(origin)
    signature = line(fields.get("author_signature"))
    match fields.get("type"):
        case "user":
            name = _user_name(dictionary(fields.get("sender_user")))
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


def _mark(*parts: str) -> str:
    return f"[{', '.join(part for part in parts if part)}]"


def _duration(medium: object) -> str:
    seconds = integer(dictionary(medium).get("duration"))
    if seconds is None or not 0 <= seconds < 10**6:
        return ""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _file_name(medium: object) -> str:
    return shortened(line(dictionary(medium).get("file_name")), 255)


def _audio(message: Fields) -> str:
    audio = dictionary(message["audio"])
    title = " — ".join(filter(None, [line(audio.get("performer")), line(audio.get("title"))]))
    return _mark(_("audio"), title or _file_name(audio), _duration(audio))


def _coordinates(location: object) -> list[str]:
    fields = dictionary(location)
    numbers = [fields.get("latitude"), fields.get("longitude")]
    return [str(float(n)).removesuffix(".0") for n in numbers if isinstance(n, float | int) and abs(n) <= 180]


def _with_map(mark: str, coordinates: list[str]) -> str:
    """With a link to the map of OpenStreetMap (https://wiki.openstreetmap.org/wiki/Browsing)."""
    if len(coordinates) < 2:
        return mark
    latitude, longitude = coordinates
    return f"{mark}\nhttps://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"


def _is_live(message: Fields) -> bool:
    # When its sharing has ended, nothing but the edit tells that it was live: other locations cannot be edited.
    return bool(dictionary(message["location"]).get("live_period")) or "edit_date" in message


def _location(message: Fields) -> str:
    coordinates = _coordinates(message["location"])
    return _with_map(_mark(_("live location") if _is_live(message) else _("location"), *coordinates), coordinates)


def _venue(message: Fields) -> str:
    venue = dictionary(message["venue"])
    coordinates = _coordinates(venue.get("location"))
    mark = _mark(_("place"), line(venue.get("title")), line(venue.get("address")), *coordinates)
    return _with_map(mark, coordinates)


def _contact(message: Fields) -> str:
    contact = dictionary(message["contact"])
    return _mark(_("contact"), _full_name(contact), line(contact.get("phone_number")))


def _poll(message: Fields) -> str:
    poll = dictionary(message["poll"])
    options = [f"- {line(dictionary(option).get('text'))}" for option in sequence(poll.get("options"))]
    description = _linked(poll, "description", "description_entities")
    lines = [_mark(_("poll"), line(poll.get("question"))), description, *options]
    return "\n".join(filter(None, lines))


def _checklist(message: Fields) -> str:
    checklist = dictionary(message["checklist"])
    lines = [_mark(_("checklist"), line(checklist.get("title")))]
    for task in map(dictionary, sequence(checklist.get("tasks"))):
        lines.append(f"[{'x' if task.get('completion_date') else ' '}] {line(task.get('text'))}")
    return "\n".join(lines)


def _invoice(message: Fields) -> str:
    invoice = dictionary(message["invoice"])
    return _mark(_("invoice"), line(invoice.get("title")), line(invoice.get("description")))


def _paid_media(message: Fields) -> str:
    return _mark(_("paid media"), str(len(sequence(dictionary(message["paid_media"]).get("paid_media"))) or ""))


def _story(message: Fields) -> str:
    return _mark(_("story"), chat_name(dictionary(message["story"]).get("chat")))


# What can be a report without text. Some kinds come with the field of an older kind beside their own, and stand before
# it: `animation` with `document`, `live_photo` with `photo`, `venue` with `location`.
MEDIA: dict[str, Callable[[Fields], str]] = {
    "animation": lambda message: _mark(_("animation"), _file_name(message["animation"])),
    "audio": _audio,
    "live_photo": lambda message: _mark(_("live photo")),
    "paid_media": _paid_media,
    "photo": lambda message: _mark(_("photo")),
    "video_note": lambda message: _mark(_("video message"), _duration(message["video_note"])),
    "video": lambda message: _mark(_("video"), _file_name(message["video"]), _duration(message["video"])),
    "voice": lambda message: _mark(_("voice message"), _duration(message["voice"])),
    "document": lambda message: _mark(_("file"), _file_name(message["document"])),
    "story": _story,
    "venue": _venue,
    "location": _location,
    "contact": _contact,
    "poll": _poll,
    "checklist": _checklist,
    "invoice": _invoice,
}
# Those of which there is nothing to say but that they are there
PICTURES = {"live_photo": gettext_noop("live photo"), "photo": gettext_noop("photo")}

# What people send for fun: it reports nothing. A command that replies to one still makes a report of it.
SKIPPED: dict[str, Callable[[object], str]] = {
    "sticker": lambda sticker: _mark(_("sticker"), line(dictionary(sticker).get("emoji"))),
    "dice": lambda dice: _mark(_("dice"), line(dictionary(dice).get("emoji"))),
    "game": lambda game: _mark(_("game"), line(dictionary(game).get("title"))),
    "giveaway": lambda giveaway: _mark(_("giveaway")),
    "giveaway_winners": lambda giveaway: _mark(_("giveaway")),
}


def _medium(block: Fields) -> str:
    """Of a block of a rich message: its kind's words."""
    if block.get("type") == "map":
        return _location({"location": block.get("location")})
    if block.get("type") == "voice_note":
        return MEDIA["voice"]({"voice": block.get("voice_note")})
    return MEDIA[block["type"]]({block["type"]: block.get(block["type"])})


# Messages that Telegram writes itself about what happened in a chat; `service` is any of an export.
SERVICE = {
    "boost_added", "channel_chat_created", "chat_background_set", "chat_owner_changed", "chat_owner_left",
    "chat_shared", "checklist_tasks_added", "checklist_tasks_done", "community_chat_added", "community_chat_joined",
    "community_chat_removed", "connected_website", "delete_chat_photo", "direct_message_price_changed",
    "forum_topic_closed", "forum_topic_created", "forum_topic_edited", "forum_topic_reopened",
    "general_forum_topic_hidden", "general_forum_topic_unhidden", "gift", "gift_upgrade_sent", "giveaway_completed",
    "giveaway_created", "group_chat_created", "left_chat_member", "left_chat_participant", "managed_bot_created",
    "message_auto_delete_timer_changed", "migrate_from_chat_id", "migrate_to_chat_id", "new_chat_member",
    "new_chat_members", "new_chat_participant", "new_chat_photo", "new_chat_title", "paid_message_price_changed",
    "passport_data", "pinned_message", "poll_option_added", "poll_option_deleted", "proximity_alert_triggered",
    "refunded_payment", "service", "successful_payment", "suggested_post_approval_failed", "suggested_post_approved",
    "suggested_post_declined", "suggested_post_paid", "suggested_post_refunded", "supergroup_chat_created",
    "unique_gift", "user_shared", "users_shared", "video_chat_ended", "video_chat_participants_invited",
    "video_chat_scheduled", "video_chat_started", "voice_chat_ended", "voice_chat_participants_invited",
    "voice_chat_scheduled", "voice_chat_started", "web_app_data", "write_access_allowed",
}  # fmt: skip

# Fields that say nothing about what kind of message it is.
METADATA = {
    "author_signature", "business_connection_id", "caption", "caption_entities", "chat", "date",
    "direct_messages_topic", "edit_date", "effect_id", "entities", "ephemeral_message_id", "external_reply",
    "forward_date", "forward_from", "forward_from_chat", "forward_from_message_id", "forward_origin",
    "forward_sender_name", "forward_signature", "from", "guest_bot_caller_chat", "guest_bot_caller_user",
    "guest_query_id", "has_media_spoiler", "has_protected_content", "is_automatic_forward", "is_from_offline",
    "is_paid_post", "is_topic_message", "link_preview_options", "media_group_id", "message_id", "message_thread_id",
    "paid_star_count", "quote", "receiver_user", "reply_markup", "reply_to_checklist_task_id", "reply_to_message",
    "reply_to_poll_option_id", "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat",
    "sender_tag", "show_caption_above_media", "suggested_post_info", "via_bot",
}  # fmt: skip
