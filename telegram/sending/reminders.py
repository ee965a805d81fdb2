"""Reminders of incidents that stay open too long, and the list of a chat's open incidents."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import dateformat, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from identity.time_zones import zone_named
from incidents.models import UNRESOLVED, Incident, Status
from telegram.bot_api import client
from telegram.models import Card, Chat, Message
from telegram.sending.cards import cut, heading, put_off_button

MAX_LISTED = 100  # more lines than a message holds
MAX_LINE_UNITS = 120  # UTF-16 units of a description
PUT_OFF = timedelta(hours=4)


@dataclass(frozen=True)
class Reminder:
    """One message about all cards of a chat that are due."""

    card_ids: list[int]
    text: str
    thread_id: int | None
    markup: dict[str, Any]


def interval(chat: Chat) -> timedelta | None:
    """Between two reminders; None: off."""
    minutes = _minutes(chat)
    return timedelta(minutes=minutes) if minutes else None


def _minutes(chat: Chat) -> int:
    minutes = chat.remind_after_minutes
    return settings.TELEGRAM_REMIND_AFTER_MINUTES if minutes is None else minutes


def plan_changed() -> None:
    """Plans the reminders of chats whose interval changed, by themselves or by TELEGRAM_REMIND_AFTER_MINUTES."""
    minutes = Coalesce("remind_after_minutes", Value(settings.TELEGRAM_REMIND_AFTER_MINUTES))
    chats = Chat.objects.filter(bot_id=client.bot_id()).annotate(minutes=minutes)
    for chat in chats.filter(Q(planned_minutes=None) | ~Q(planned_minutes=F("minutes"))):
        plan(chat)


@transaction.atomic
def plan(chat: Chat) -> None:
    """Plans the reminders of a chat's cards anew by its interval: each counts from the card or its last reminder."""
    chat = Chat.objects.select_for_update(no_key=True).get(pk=chat.pk)
    Chat.objects.filter(pk=chat.pk).update(planned_minutes=_minutes(chat))
    cards, every = Card.objects.filter(chat=chat), interval(chat)
    if every is None:
        cards.filter(remind_at__isnull=False).update(remind_at=None)
        return
    created_at = Incident.objects.filter(pk=OuterRef("incident")).values("created_at")
    due_at = ExpressionWrapper(Coalesce("remind_from", Subquery(created_at)) + Value(every), DateTimeField())
    put_off = When(remind_from__gt=timezone.now(), then="remind_from")
    cards.filter(message_id__isnull=False, incident__status__in=UNRESOLVED).update(
        remind_at=Case(put_off, default=due_at)
    )


def times_from_now(chat: Chat) -> dict[str, datetime | None]:
    """The reminder columns of a card that is shown, or was reminded of, now. In a transaction: locks the chat."""
    # It may have been read before its interval was changed.
    every = interval(Chat.objects.select_for_update(no_key=True).get(pk=chat.pk))
    now = timezone.now()
    return {"remind_from": now, "remind_at": now + every if every else None}


def reminder_for(chat: Chat) -> Reminder | None:
    """None if no reminder is needed; clears the reminder columns of cards that need none."""
    due = Card.objects.filter(chat=chat, remind_at__lte=timezone.now())
    if not interval(chat):
        due.update(remind_at=None)
        return None
    due.exclude(incident__status__in=UNRESOLVED).update(remind_at=None)
    threads = dict(due.values_list("pk", "thread_id"))
    if not threads:
        return None
    incidents = Incident.objects.filter(cards__in=due).in_order("created_at")[:MAX_LISTED]
    with override(chat.language):
        text = listing(_("Still open:"), incidents, len(threads), chat)
    of_topics = set(threads.values())
    return Reminder(
        list(threads),
        text,
        of_topics.pop() if len(of_topics) == 1 else None,
        put_off_button(PUT_OFF, chat.language),
    )


def note_sent(chat: Chat, reminder: Reminder, message_id: int | None) -> None:
    """The next one comes after the interval. `message_id` is None where Telegram refused the reminder or was silent."""
    with transaction.atomic():
        Card.objects.filter(pk__in=reminder.card_ids).update(**times_from_now(chat), reminder_id=message_id)


def put_off(chat: Chat, message_id: int, by: timedelta) -> int:
    """Puts off what the reminder with that message id named; returns how many incidents."""
    until = timezone.now() + by
    return Card.objects.filter(chat=chat, reminder_id=message_id, remind_at__isnull=False).update(
        remind_at=until, remind_from=until
    )


def open_list(chat: Chat) -> str:
    """What is open in the chat, oldest first, as far as a message holds it."""
    cards, messages = Card.objects.filter(chat=chat), Message.objects.filter(alias__chat=chat)
    of_chat = Q(pk__in=cards.values("incident")) | Q(pk__in=messages.values("incident"))
    incidents = Incident.objects.filter(of_chat, status__in=UNRESOLVED)
    number = incidents.count()
    with override(chat.language):
        if not number:
            return _("Nothing is open in this chat.")
        heading = ngettext("%d incident is open:", "%d incidents are open:", number) % number
        return listing(heading, incidents.in_order("created_at")[:MAX_LISTED], number, chat)


def listing(heading: str, incidents: Iterable[Incident], number: int, chat: Chat) -> str:
    """A line for each of the first incidents, and how many of the `number` did not fit; in the active language."""
    lines, zone = [heading], zone_of(chat)
    room = client.MESSAGE_LIMIT - client.length(heading) - 50  # which the last line may take
    for incident in incidents:
        line = _line(incident, zone)
        room -= client.length(line) + 1
        if room < 0:
            break
        lines.append(line)
    if left := number - len(lines) + 1:
        lines.append(ngettext("… and %d more", "… and %d more", left) % left)
    return "\n".join(lines)


def zone_of(chat: Chat) -> ZoneInfo:
    return zone_named(chat.time_zone, "UTC")


def _line(incident: Incident, zone: ZoneInfo) -> str:
    created = dateformat.format(incident.created_at.astimezone(zone), "j E, H:i")
    # The description stands last on a line of its own: marks of direction in it turn nothing else around.
    words = cut(" ".join(incident.description.split()), MAX_LINE_UNITS)
    return f"{heading(incident.pk, Status(incident.status), urgent=incident.urgent)} · {created} · {words}"
