"""Changes a card's state: a function for each row of the table in docs/architecture.md, and nothing else writes it."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from telegram.models import Card, ChatAlias

logger = logging.getLogger(__name__)

State = Card.State

_IS_SENT = Q(message_id__gt=0)
_TO_SEND = Case(When(sends_unknown__gt=0, then=Value(State.UNKNOWN)), default=Value(State.NEW))
_ANEW = {"error": "", "failures": 0, "sends_unknown": 0, "send_began_at": None}
# What the other columns say, which each function leaves in accordance with the state
BY_COLUMNS = Case(
    When(~Q(error=""), due_at=None, then=Value(State.FAILED)),
    When(due_at=None, then=Value(State.SHOWN)),
    When(_IS_SENT, then=Value(State.OUTDATED)),
    When(send_began_at__isnull=False, then=Value(State.SENDING)),
    default=_TO_SEND,
)


def begin(card: Card) -> bool:
    """
    Notes a call of sendMessage. Returns False if there is none to make, since the card was adopted meanwhile.

    To be committed before the call, so that a process that dies leaves a trace of it.
    """
    return bool(_row(card).exclude(_IS_SENT).update(state=State.SENDING, send_began_at=timezone.now()))


def sent(card: Card, message_id: int, **columns: Any) -> None:
    """Takes the result of sendMessage. In a transaction."""
    changes = {"state": State.OUTDATED, "message_id": message_id, "send_began_at": None, "sends_unknown": 0}
    shown(card, **changes, **columns)


def shown(card: Card, **columns: Any) -> None:
    """Takes what the message shows now, with its `shows`. In a transaction."""
    _row(card).update(failures=0, error="", **columns)
    # Unless it became due again meanwhile, as by a late part of an album
    _row(card).filter(due_at=card.due_at).update(state=State.SHOWN, due_at=None)


def put_back(card: Card, **columns: Any) -> None:
    """Returns a card to where it was before a call that Telegram has not done."""
    state = Case(When(state=State.SENDING, then=_TO_SEND), default=F("state"))
    _row(card).update(state=state, send_began_at=None, **columns)


@transaction.atomic
def lost(card: Card) -> bool:
    """Takes note of a lost response to sendMessage. Returns whether the card may be sent again, which it may once."""
    changes = {"state": State.UNKNOWN, "sends_unknown": F("sends_unknown") + 1, "send_began_at": None}
    if not _row(card).exclude(_IS_SENT).update(**changes):
        return False  # adopted meanwhile
    card.refresh_from_db(fields=["sends_unknown"])
    if card.sends_unknown > 1:
        with override(card.chat.language):
            fail(card, _("Twice Telegram did not say whether it took the message: it may be in the chat."))
        return False
    return True


def replace(card: Card) -> None:
    """Lets a card be sent anew whose message was deleted."""
    _row(card).update(state=State.NEW, message_id=None, replaced=True)


def fail(card: Card, error: str, **columns: Any) -> None:
    """
    Marks the card as failed until the incident changes (if it was sent) or someone presses Retry.

    `columns` are of what it should show.
    """
    changes = {"error": error[:255], "due_at": None, "send_began_at": None}
    _row(card).update(state=State.FAILED, **changes, **columns)
    logger.error("The card of incident %d failed in the chat %s: %s", card.incident_id, card.chat, error)


def outdate(cards: QuerySet[Card], due_at: datetime) -> None:
    """Makes cards due; those that are under way stay so."""
    state = Case(
        When(_IS_SENT, then=Value(State.OUTDATED)),
        When(state=State.SENDING, then=Value(State.SENDING)),
        default=_TO_SEND,
    )
    cards.update(state=state, due_at=due_at)


def retry(cards: QuerySet[Card]) -> None:
    """Sends or edits cards anew, as if they had never failed."""
    state = Case(When(_IS_SENT, then=Value(State.OUTDATED)), default=Value(State.NEW))
    cards.update(**_ANEW, state=state, due_at=timezone.now(), replaced=False)


def adopt(alias: ChatAlias, incident_id: int, message_id: int | None) -> None:
    """
    Takes the message for the incident's card, where the outcome of sending that is not known.

    Called when a person presses a button of a message of this bot that shows the incident, or replies to it.
    """
    # Messages of the group that a supergroup was cannot be edited.
    if not message_id or message_id < 0 or alias.telegram_id != alias.chat.telegram_id:
        return
    cards = Card.objects.filter(chat=alias.chat)
    if cards.filter(message_id=message_id).exists():
        return
    unknown = Q(sends_unknown__gt=0) | Q(state=State.SENDING)
    row = cards.filter(unknown, incident=incident_id).exclude(_IS_SENT)
    row.update(**_ANEW, state=State.OUTDATED, message_id=message_id, due_at=timezone.now())


def leave_group(cards: QuerySet[Card]) -> None:
    """
    Gives up the messages of a group that became a supergroup, where they are out of reach.

    The supergroup numbers its messages anew: these get negative ids, which no message has, so that the next change
    sends a new card.
    """
    cards.filter(state=State.OUTDATED).update(state=State.NEW)
    cards.update(message_id=-F("message_id"), reply_to=None, thread_id=None, direct_topic_id=None)


def correct(since: datetime | None) -> None:
    """
    Corrects the states of cards that the previous release wrote, which has no such column.

    `since` bounds the search to cards that are due, or whose incident changed. During an upgrade the two releases take
    turns at the job. Goes when `failed` is dropped, in the next release.
    """
    cards = Card.objects.exclude(state=BY_COLUMNS)
    if since is None:
        cards.update(state=BY_COLUMNS)
    else:
        cards.filter(due_at__isnull=False).update(state=BY_COLUMNS)
        cards.filter(incident__updated_at__gte=since).update(state=BY_COLUMNS)


def _row(card: Card) -> QuerySet[Card]:
    return Card.objects.filter(pk=card.pk)
