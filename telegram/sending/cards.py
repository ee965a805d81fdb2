"""The card that shows an incident in a chat: its text and its buttons, made from the incident's state alone."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from incidents.models import Source, Status
from telegram.bot_api import client
from telegram.reading.reports import Replied

# The version, the incident, the status that the card showed, the status to change to.
_CALLBACK = re.compile(r"1:([1-9][0-9]{0,18}):([a-z_]+):([a-z_]+)")
_HEAD = re.compile(r"№ ([1-9][0-9]{0,18}) · ")
# The version, the incident, whether it is to be urgent
_MARK = re.compile(r"1:([1-9][0-9]{0,18}):urgent:(true|false)")
# The version, and for how many minutes a reminder is put off
_PUT_OFF = re.compile(r"1:later:([1-9][0-9]{0,4})")


def card_text(
    *,
    number: int,
    status: Status,
    source: Source,
    description: str,
    author: str,
    handler: str | None,
    created_at: datetime,
    updated_at: datetime,
    language: str,
    zone: tzinfo,
    urgent: bool = False,
    attachments: int = 0,
    duplicate_of: int | None = None,
    duplicates: int = 0,
    link: str | None = None,
) -> str:
    """
    Plain text, to be sent without `parse_mode`: at most 4096 UTF-16 units, of which the description takes what is left.

    `handler` is who changed the status last or was given the incident, or after an undo who had taken it before; None
    where there is none. `duplicate_of` is the number of the main incident, `duplicates` how many have this one as
    theirs. `link` leads to the incident.
    """
    with override(language):
        # The description stands last: marks of direction in it must not turn the rest around.
        head = [
            heading(number, status, urgent=urgent),
            *([_("Duplicate of № %d") % duplicate_of] if duplicate_of else []),
            _("Source: %s") % source.label,
            _("Author: %s") % author,
            *([_("Handled by: %s") % handler] if handler else []),
            _("Created: %s") % _time(created_at, zone),
            *([_("Changed: %s") % _time(updated_at, zone)] if updated_at != created_at else []),
            *([ngettext("%d attachment", "%d attachments", attachments) % attachments] if attachments else []),
            *([_("Duplicates: %d") % duplicates] if duplicates else []),
            *([link] if link else []),
        ]
    top = "\n".join(head) + "\n\n"
    return top + cut(description, client.MESSAGE_LIMIT - client.length(top))


def heading(number: int, status: Status, *, urgent: bool) -> str:
    """The number and the state, in the active language."""
    return " · ".join([f"№ {number}", str(status.label), *([f"❗ {_('Urgent')}"] if urgent else [])])


def keyboard(
    number: int, status: Status, language: str, *, urgent: bool = False
) -> dict[str, list[list[dict[str, str]]]]:
    """The `reply_markup` of a card: a button for each other status, and one for the mark of what is urgent."""
    with override(language):
        buttons = [
            {"text": str(other.label), "callback_data": f"1:{number}:{status}:{other}"}
            for other in Status
            if other != status
        ]
        mark = {
            "text": _("Not urgent") if urgent else f"❗ {_('Urgent')}",
            "callback_data": f"1:{number}:urgent:{'false' if urgent else 'true'}",
        }
    return {"inline_keyboard": [buttons, [mark]]}


@dataclass(frozen=True, slots=True)
class Press:
    """Of a button: where the incident's status is no longer `shown`, the button is outdated."""

    number: int
    shown: Status
    wanted: Status


@dataclass(frozen=True, slots=True)
class Mark:
    """Of the button that marks an incident as urgent, or takes the mark away."""

    number: int
    urgent: bool


@dataclass(frozen=True, slots=True)
class PutOff:
    """Of the button of a reminder: the message that it belongs to says which incidents are meant."""

    by: timedelta


def put_off_button(by: timedelta, language: str) -> dict[str, list[list[dict[str, str]]]]:
    """The `reply_markup` of a reminder. `by` is whole hours."""
    hours = by // timedelta(hours=1)
    with override(language):
        text = ngettext("Remind in %d hour", "Remind in %d hours", hours) % hours
    return {"inline_keyboard": [[{"text": text, "callback_data": f"1:later:{hours * 60}"}]]}


def parse_callback(data: str) -> Press | Mark | PutOff | None:
    """Returns what a button means; None for what no button of ours sends."""
    if later := _PUT_OFF.fullmatch(data):
        return PutOff(timedelta(minutes=int(later[1])))
    if (marked := _MARK.fullmatch(data)) and int(marked[1]) < 2**63:
        return Mark(int(marked[1]), marked[2] == "true")
    found = _CALLBACK.fullmatch(data)
    if not found or int(found[1]) >= 2**63 or not {found[2], found[3]} <= set(Status.values):
        return None
    return Press(int(found[1]), Status(found[2]), Status(found[3]))


def number_of(message: Replied, bot_id: int) -> int | None:
    """The incident that a message of the bot shows: by its buttons, or, where Telegram left them out, by its text."""
    if message.author_id not in (None, bot_id):  # none in channels
        return None
    presses = map(parse_callback, message.buttons)
    if press := next((press for press in presses if isinstance(press, Press)), None):
        return press.number
    found = _HEAD.match(message.text) if message.author_id else None
    return int(found[1]) if found and int(found[1]) < 2**63 else None


def cut(text: str, units: int, mark: str = "…") -> str:
    """The start of a text, in UTF-16 units, with a mark. What readers see as one character stays whole."""
    if client.length(text) <= units:
        return client.start_of(text, units)
    start = client.start_of(text, units - client.length(mark))
    end = len(start)
    # Longer sequences than 32 are no characters but decoration, which may be split.
    while end > max(0, len(start) - 32) and _continues(text, end):
        end -= 1
    return (start[:end] if end > len(start) - 32 else start) + mark


def _continues(text: str, index: int) -> bool:
    """Whether the code point at an index belongs to the one before it, nearly as Unicode's UAX #29 has it."""
    character, before = text[index], text[index - 1]
    if _is_flag_half(character) and _is_flag_half(before):
        first = index
        while first and _is_flag_half(text[first - 1]):
            first -= 1
        return (index - first) % 2 == 1
    return (
        unicodedata.category(character).startswith("M")  # accents, variation selectors
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags of flags
        or "\u200d" in (character, before)  # the joiner of emoji
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _time(at: datetime, zone: tzinfo) -> str:
    return dateformat.format(at.astimezone(zone), "j E Y, H:i T")
