"""
Telegram Desktop's export in JSON (`result.json`), of one chat or of a whole account, read as a stream.

Each entry becomes the `Message` that a bot would have received, so that an import and the bot use the same words.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import ijson

from telegram.history.file import RepairedFile
from telegram.history.rich import rich_message
from telegram.reading import reports
from telegram.reading.reports import ZERO_CHANNEL_ID, NotUnderstoodError, Report
from telegram.reading.rich import with_address
from telegram.reading.values import Fields, dictionary, integer, sequence, string

BUFFER_SIZE = 1 << 17
PEER = re.compile(r"(user|chat|channel)?([0-9]{1,18})")  # exports before 2021 have the number alone
# Desktop numbers the messages of the group that a supergroup once was from here on, below zero.
OTHER_NUMBERING = -1_000_000_000

PRIVATE = {"personal_chat", "bot_chat", "saved_messages", "replies", "verification_codes"}
CHANNELS = {"private_supergroup", "public_supergroup", "private_channel", "public_channel"}
MEDIA_TYPES = {
    "animation": "animation",
    "audio_file": "audio",
    "sticker": "sticker",
    "video_file": "video",
    "video_message": "video_note",
    "voice_message": "voice",
}
# Fields of an entry that say nothing about what kind of message it is.
METADATA = {
    "author", "date", "date_unixtime", "edited", "edited_unixtime", "file_name", "file_size", "forwarded_from",
    "forwarded_from_id", "from", "from_id", "height", "id", "inline_bot_buttons", "media_spoiler", "mime_type",
    "photo_file_size", "reactions", "reply_to_message_id", "reply_to_peer_id", "rich_message", "saved_from",
    "self_destruct_period_seconds", "text", "text_entities", "thumbnail", "thumbnail_file_size", "type", "via_bot",
    "width",
}  # fmt: skip


def read(file: BinaryIO, *, only: int | None = None, zone: tzinfo = UTC) -> Iterator[Report | NotUnderstoodError]:
    """
    The reports of a file in its order, in constant memory; an entry or chat that is not understood yields the error.

    `only` is the chat to read, by the id that bots know it by. `zone` is where the export was made: older exports have
    local times alone. A message without a date has that of the one before it. Message ids are those that bots see in
    supergroups and channels. In other chats each account has its own numbering: there, and in the history from before
    a group became a supergroup, they are negative.
    Raises NotUnderstoodError, after what came before, where the file is no export or ends early.
    """
    entries = _entries(ijson.basic_parse(RepairedFile(file), buf_size=BUFFER_SIZE, use_float=True))
    header, chat, topics, latest = None, None, set[int](), None
    while following := _next(entries):
        of_chat, entry = following
        if of_chat is not header:
            header, topics, latest = of_chat, set(), None
            chat = _chat(of_chat)
            if chat is None:
                yield NotUnderstoodError("A chat of the export has no id or a type that is not known.")
        if chat is None or (only is not None and chat["id"] != only):
            continue
        try:
            report = reports.read(_message(dictionary(entry), chat, topics, zone))
            latest = report.date or latest
            yield replace(report, date=latest) if report.date is None else report
        except NotUnderstoodError as error:
            yield error
    if header is None:
        raise NotUnderstoodError("The file holds no messages: Telegram Desktop's export in JSON is called result.json.")


def _next(entries: Iterator[tuple[Fields, object]]) -> tuple[Fields, object] | None:
    try:
        return next(entries, None)
    except (ijson.JSONError, ValueError, ArithmeticError) as error:
        # What the parser says may quote messages.
        raise NotUnderstoodError(f"The file is no whole JSON document ({type(error).__name__}).") from None


def _entries(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[Fields, object]]:
    """The items of each array `messages`, with the fields that stand before it."""
    objects: list[Fields] = []
    key = None
    for event, value in events:
        if event == "map_key":
            key = value
            continue
        if event == "start_map":
            objects.append({})
        elif event == "end_map":
            objects.pop()
        elif event == "start_array":
            if key == "messages" and objects:
                for item in _items(events):
                    yield objects[-1], item
        elif event != "end_array" and objects and key is not None:
            objects[-1][key] = value
        key = None


def _items(events: Iterator[tuple[str, Any]]) -> Iterator[object]:
    """The items of an array whose start has been read."""
    # As ijson.ObjectBuilder does, in a third of its time
    items: list[Any] = []
    container: Any = items
    outer: list[Any] = []
    key = ""
    for event, value in events:
        if event == "map_key":
            key = value
            continue
        if event == "end_map" or event == "end_array":
            if not outer:
                return
            container = outer.pop()
        else:
            item = {} if event == "start_map" else [] if event == "start_array" else value
            if type(container) is dict:
                container[key] = item
            else:
                container.append(item)
            if event == "start_map" or event == "start_array":
                outer.append(container)
                container = item
        if not outer:
            yield items.pop()


def _chat(header: Fields) -> Fields | None:
    """The `Chat` of an export's chat, by the id that bots know it by."""
    number, kind = integer(header.get("id")), header.get("type")
    if not number:
        return None
    if kind in CHANNELS:
        number, kind = number if number < 0 else ZERO_CHANNEL_ID - number, "supergroup"
    elif kind == "private_group":
        number, kind = -abs(number), "group"
    elif kind in PRIVATE:
        kind = "private"
    else:
        return None
    return {"id": number, "type": kind, "title": header.get("name")}


def _message(entry: Fields, chat: Fields, topics: set[int], zone: tzinfo) -> Fields:
    """Adds to `topics` the ids of those that the entry starts."""
    shared = chat["type"] == "supergroup"

    def message_id(value: object) -> int | None:
        number = integer(value)
        return number if number is None or shared or number <= 0 else number + OTHER_NUMBERING

    message: Fields = {
        "message_id": message_id(entry.get("id")),
        "chat": chat,
        "date": _seconds(entry, "date", zone),
        "edit_date": _seconds(entry, "edited", zone),
        "author_signature": entry.get("author"),
    }
    is_service = entry.get("type") == "service"
    message |= _sender(entry, "actor" if is_service else "from")
    if is_service:
        if entry.get("action") == "topic_created" and message["message_id"] is not None:
            topics.add(message["message_id"])
        return message | {"service": entry.get("action") or True}
    if "forwarded_from" in entry:
        message["forward_origin"] = {"type": "hidden_user", "sender_user_name": entry["forwarded_from"]}
    reply_to = message_id(entry.get("reply_to_message_id"))
    if reply_to in topics:
        message |= {"is_topic_message": True, "message_thread_id": reply_to}
    elif reply_to and entry.get("reply_to_peer_id", _peer(chat)) == _peer(chat):
        message["reply_to_message"] = {"message_id": reply_to}
    if "rich_message" in entry:
        message["rich_message"] = rich_message(entry["rich_message"])
    text, media = _text(entry.get("text", entry.get("text_entities"))), _media(entry)
    unknown = set() if text or media else entry.keys() - METADATA
    carried = media | dict.fromkeys(unknown, True)
    return message | carried | ({"text": text} if text or not (carried or "rich_message" in message) else {})


def _peer(chat: Fields) -> str:
    """The chat, as a reply from another topic or chat names it."""
    match chat["type"]:
        case "supergroup":
            return f"channel{ZERO_CHANNEL_ID - chat['id']}"
        case "group":
            return f"chat{-chat['id']}"
    return f"user{chat['id']}"


def _sender(entry: Fields, field: str) -> Fields:
    """A deleted account has an id and no name."""
    name, peer = string(entry.get(field)), entry.get(f"{field}_id")
    found = PEER.fullmatch(str(peer))
    if not found:
        return {"from": {"first_name": name}}
    if found[1] in (None, "user"):
        return {"from": {"id": int(found[2]), "first_name": name}}
    return {"sender_chat": {"id": ZERO_CHANNEL_ID - int(found[2]), "title": name}}


def _invoice(information: object) -> Fields:
    """Desktop writes the object as a string in JSON, which holds JSON."""
    if not isinstance(information, str):
        return dictionary(information)
    try:
        return dictionary(json.loads(RepairedFile(BytesIO(information.encode("utf-8", "replace"))).read()))
    except (ValueError, RecursionError):
        return {}


def _seconds(entry: Fields, field: str, zone: tzinfo) -> int | None:
    """Since 1970, from `…_unixtime`, a string, or the local time of older exports."""
    number = str(entry.get(f"{field}_unixtime", ""))
    if number.isascii() and number.isdecimal() and len(number) < 12:
        return int(number) or None
    if field not in entry:
        return None
    try:
        seconds = int(datetime.fromisoformat(string(entry[field])).replace(tzinfo=zone).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 24 * 3600 else None  # older exports write that nothing was edited as 1970


def _text(parts: object) -> str:
    """A string, or a list of strings and of entities: a `text`, and a `href` where it is the words of a link."""
    if isinstance(parts, list):
        return "".join(string(part) or _entity(dictionary(part)) for part in parts)
    return string(parts)


def _entity(part: Fields) -> str:
    return with_address(string(part.get("text")), string(part.get("href")))


def _media(entry: Fields) -> Fields:
    """The field of a `Message` for what the entry carries beside text."""
    if not entry.keys() - METADATA:
        # Of a photo or file that destroyed itself its size is left, or, in older exports, after how long it did.
        if "file_size" in entry:
            return {"document": {}}
        if entry.keys() & {"photo_file_size", "self_destruct_period_seconds"}:
            return {"photo": []}
        return {"unsupported": True} if entry.get("type") == "unsupported" else {}
    path = string(entry.get("file"))
    named = string(entry.get("file_name")) or ("" if "(File " in path else PurePosixPath(path).name)
    # Its path stands for the id, or the words that Desktop writes where the file is not in the export.
    file = {"file_name": named, "duration": entry.get("duration_seconds"), "emoji": entry.get("sticker_emoji")}
    file |= {"file_id": path, "file_size": entry.get("file_size"), "mime_type": entry.get("mime_type")}
    location = dictionary(entry.get("location_information"))
    if kind := MEDIA_TYPES.get(string(entry.get("media_type"))):
        return {kind: file | {"performer": entry.get("performer"), "title": entry.get("title")}}
    if "photo" in entry:
        return {"photo": [{"file_id": string(entry["photo"]), "file_size": entry.get("photo_file_size")}]}
    if "contact_information" in entry:
        return {"contact": entry["contact_information"]}
    if "place_name" in entry:
        return {"venue": {"title": entry["place_name"], "address": entry.get("address"), "location": location}}
    if "location_information" in entry:
        return {"location": location | {"live_period": entry.get("live_location_period_seconds")}}
    if "poll" in entry:
        poll = dictionary(entry["poll"])
        options = [{"text": _text(dictionary(option).get("text"))} for option in sequence(poll.get("answers"))]
        return {"poll": {"question": _text(poll.get("question")), "options": options}}
    if "todo_list" in entry:
        todo = dictionary(entry["todo_list"])
        tasks = [{"text": _text(dictionary(task).get("text"))} for task in sequence(todo.get("answers"))]
        return {"checklist": {"title": _text(todo.get("title")), "tasks": tasks}}
    if "game_title" in entry:
        return {"game": {"title": entry["game_title"]}}
    if entry.keys() & {"giveaway_information", "giveaway_results"}:
        return {"giveaway": {}}
    if "invoice_information" in entry:
        return {"invoice": _invoice(entry["invoice_information"])}
    if "paid_stars_amount" in entry:
        return {"paid_media": {}}
    if "file" in entry:
        return {"document": file}
    return {}
