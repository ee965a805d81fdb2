"""What a message can carry: the table from each kind of medium to its words, and the kinds that report nothing."""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from telegram.reading.authors import chat_name, full_name
from telegram.reading.rich import linked
from telegram.reading.values import Fields, dictionary, integer, line, sequence, shortened


def mark(*parts: str) -> str:
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
    return mark(_("audio"), title or _file_name(audio), _duration(audio))


def _coordinates(location: object) -> list[str]:
    fields = dictionary(location)
    numbers = [fields.get("latitude"), fields.get("longitude")]
    return [str(float(n)).removesuffix(".0") for n in numbers if isinstance(n, float | int) and abs(n) <= 180]


def _with_map(words: str, coordinates: list[str]) -> str:
    """Adds a link to the map of OpenStreetMap (https://wiki.openstreetmap.org/wiki/Browsing)."""
    if len(coordinates) < 2:
        return words
    latitude, longitude = coordinates
    return f"{words}\nhttps://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"


def is_live(message: Fields) -> bool:
    # When its sharing has ended, nothing but the edit tells that it was live: other locations cannot be edited.
    return bool(dictionary(message["location"]).get("live_period")) or "edit_date" in message


def _location(message: Fields) -> str:
    coordinates = _coordinates(message["location"])
    return _with_map(mark(_("live location") if is_live(message) else _("location"), *coordinates), coordinates)


def _venue(message: Fields) -> str:
    venue = dictionary(message["venue"])
    coordinates = _coordinates(venue.get("location"))
    place = mark(_("place"), line(venue.get("title")), line(venue.get("address")), *coordinates)
    return _with_map(place, coordinates)


def _contact(message: Fields) -> str:
    contact = dictionary(message["contact"])
    return mark(_("contact"), full_name(contact), line(contact.get("phone_number")))


def _poll(message: Fields) -> str:
    poll = dictionary(message["poll"])
    options = [f"- {line(dictionary(option).get('text'))}" for option in sequence(poll.get("options"))]
    description = linked(poll, "description", "description_entities")
    lines = [mark(_("poll"), line(poll.get("question"))), description, *options]
    return "\n".join(filter(None, lines))


def _checklist(message: Fields) -> str:
    checklist = dictionary(message["checklist"])
    lines = [mark(_("checklist"), line(checklist.get("title")))]
    for task in map(dictionary, sequence(checklist.get("tasks"))):
        lines.append(f"[{'x' if task.get('completion_date') else ' '}] {line(task.get('text'))}")
    return "\n".join(lines)


def _invoice(message: Fields) -> str:
    invoice = dictionary(message["invoice"])
    return mark(_("invoice"), line(invoice.get("title")), line(invoice.get("description")))


def _paid_media(message: Fields) -> str:
    return mark(_("paid media"), str(len(sequence(dictionary(message["paid_media"]).get("paid_media"))) or ""))


def _story(message: Fields) -> str:
    return mark(_("story"), chat_name(dictionary(message["story"]).get("chat")))


# What can be a report without text. Some kinds come with the field of an older kind beside their own, and stand before
# it: `animation` with `document`, `live_photo` with `photo`, `venue` with `location`.
MEDIA: dict[str, Callable[[Fields], str]] = {
    "animation": lambda message: mark(_("animation"), _file_name(message["animation"])),
    "audio": _audio,
    "live_photo": lambda message: mark(_("live photo")),
    "paid_media": _paid_media,
    "photo": lambda message: mark(_("photo")),
    "video_note": lambda message: mark(_("video message"), _duration(message["video_note"])),
    "video": lambda message: mark(_("video"), _file_name(message["video"]), _duration(message["video"])),
    "voice": lambda message: mark(_("voice message"), _duration(message["voice"])),
    "document": lambda message: mark(_("file"), _file_name(message["document"])),
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
    "sticker": lambda sticker: mark(_("sticker"), line(dictionary(sticker).get("emoji"))),
    "dice": lambda dice: mark(_("dice"), line(dictionary(dice).get("emoji"))),
    "game": lambda game: mark(_("game"), line(dictionary(game).get("title"))),
    "giveaway": lambda giveaway: mark(_("giveaway")),
    "giveaway_winners": lambda giveaway: mark(_("giveaway")),
}


def medium_of_block(block: Fields) -> str:
    """Returns the words of the medium in a block of a rich message."""
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
