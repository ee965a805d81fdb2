"""Finds outdated cards, and incidents of other channels that still need a card."""

from collections import deque
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from incidents.models import Attachment, Channel, Incident, IncidentChange
from telegram import card_states, chats
from telegram.bot_api import client
from telegram.models import Card, Chat, Message
from telegram.sending.reminders import plan_changed

DEBOUNCE = timedelta(seconds=1)  # in which the changes of an incident are one edit
# Rows are seen when they are committed, which is later than their timestamps and ids say, but by no more than this.
OVERLAP = timedelta(minutes=10)
FULL_SWEEP_EVERY = timedelta(hours=1)
BATCH = 500
# Incidents recorded before the jobs came up with the setting, but together with them
STARTING_UP = timedelta(seconds=10)


class Sweep:
    """Looks at what changed since its own last run; at everything on the first run, and every hour."""

    def __init__(self) -> None:
        self._ran_at: datetime | None = None
        self._full_at: datetime | None = None
        self._last_ids: deque[tuple[datetime, int]] = deque()

    def run(self) -> None:
        now = timezone.now()
        full = self._full_at is None or self._full_at < now - FULL_SWEEP_EVERY
        since = None if full or self._ran_at is None else self._ran_at - OVERLAP
        card_states.correct(since)
        mark_changed(since)
        plan_changed()
        if full:
            _forget_former_notify_chats()
            self._full_at = now
        if chat := _notify_chat():
            self._add_cards(chat, now)
        self._ran_at = now

    def _add_cards(self, chat: Chat, now: datetime) -> None:
        last = Incident.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        if add_cards(chat) == BATCH:
            return
        if not self._last_ids or self._last_ids[-1][0] < now - timedelta(minutes=1):
            self._last_ids.append((now, last))
        if self._last_ids[0][0] < now - OVERLAP:
            Chat.objects.filter(pk=chat.pk).update(notify_after_id=self._last_ids.popleft()[1])


def mark_changed(since: datetime | None) -> None:
    """Makes those cards due whose incident changed since they were sent; `since` bounds the search."""
    in_chat = Card.objects.filter(state__in=(Card.State.SHOWN, Card.State.FAILED), message_id__isnull=False)
    outdated = in_chat.exclude(shows=F("incident__updated_at"))
    attachments = Attachment.objects.all()
    if since:
        outdated = outdated.filter(incident__updated_at__gte=since)
        attachments = attachments.filter(created_at__gte=since)
    due_at = timezone.now() + DEBOUNCE
    card_states.outdate(outdated, due_at)
    # Attachments leave the incident's updated_at as it is.
    of_incident = Attachment.objects.filter(incident=OuterRef("incident")).order_by().values("incident")
    count = Subquery(of_incident.values(count=Count("pk"))[:1])
    with_new = in_chat.filter(incident__in=attachments.values("incident"))
    card_states.outdate(with_new.exclude(attachments=count), due_at)


def add_cards(chat: Chat) -> int:
    """Makes cards of incidents that came neither from a chat nor by a command; returns how many, BATCH at most."""
    messages = Message.objects.filter(incident=OuterRef("pk"))
    cards = Card.objects.filter(incident=OuterRef("pk"), chat=chat)
    commands = IncidentChange.objects.filter(incident=OuterRef("pk"), channel=Channel.COMMAND)
    new = Incident.objects.filter(~Exists(messages), ~Exists(cards), ~Exists(commands), pk__gt=chat.notify_after_id)
    now = timezone.now()
    made = [
        Card(incident_id=pk, chat=chat, due_at=now) for pk in new.order_by("pk").values_list("pk", flat=True)[:BATCH]
    ]
    Card.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def sendable() -> Q:
    """Selects the chats of this bot that may get messages, paused or not."""
    allowed = Q(allowed=True)
    if notify := notify_id():
        allowed |= Q(aliases__telegram_id=notify)
    return Q(bot_id=client.bot_id()) & allowed


def notify_id() -> int | None:
    """The id in TELEGRAM_NOTIFY_CHAT."""
    text = settings.TELEGRAM_NOTIFY_CHAT
    return int(text) if chats.ID.fullmatch(text) else None


def _notify_chat() -> Chat | None:
    telegram_id = notify_id()
    if telegram_id is None:
        return None
    chat = chats.add(client.bot_id(), telegram_id).chat
    if chat.notify_after_id is None:
        earlier = Incident.objects.filter(created_at__lt=timezone.now() - STARTING_UP)
        chat.notify_after_id = earlier.order_by("-pk").values_list("pk", flat=True).first() or 0
        chat.save(update_fields=["notify_after_id"])
    return chat


def _forget_former_notify_chats() -> None:
    former = Chat.objects.exclude(notify_after_id=None)
    if (telegram_id := notify_id()) is not None:
        former = former.exclude(aliases__telegram_id=telegram_id)
    former.update(notify_after_id=None)
