"""
What the bot sends: cards, lists of open incidents, reminders.

They come from rows that say what is due, so that nothing is lost or sent twice when a process dies. One job sends them,
a call at a time in each chat; the calls of different chats do not wait for each other.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from core.db.postgresql import is_unavailable
from incidents.models import UNRESOLVED, IncidentChange, Source, Status
from incidents.services import WRITABLE
from telegram.bot_api import client
from telegram.chats import migrate
from telegram.models import Card, Chat, ChatAlias
from telegram.sending import answers
from telegram.sending.cards import card_text, cut, keyboard
from telegram.sending.failures import Action, action_of
from telegram.sending.outdated import Sweep, sendable
from telegram.sending.reminders import note_sent, open_list, reminder_for, times_from_now, zone_of

logger = logging.getLogger(__name__)

TIMEOUT = (5, 25)  # seconds; Telegram holds requests back in chats with slow mode
# A call that was begun this long ago is over: its process has died.
IN_FLIGHT = timedelta(seconds=60)
MOST_IN_FLIGHT = 20  # calls
QUICK = 2.0  # seconds that a step waits for the calls that it began
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=2), timedelta(seconds=30)
BOT_BACKOFF = 60.0  # seconds, while the token is refused
# A card that Telegram fails on as often as this no longer holds up those behind it.
PATIENCE, POSTPONED = 30, timedelta(hours=1)
STALE_LIST = timedelta(minutes=10)


def answer_press(callback_id: str, text: str) -> None:
    """Tells the presser of a button."""
    answers.send(callback_id, "answerCallbackQuery", {"callback_query_id": callback_id, "text": cut(text, 200)})


def show_open(chat: Chat, thread_id: int | None = None) -> None:
    """Asks for the list of open incidents to be sent to the chat, or to its topic."""
    Chat.objects.filter(pk=chat.pk).update(open_asked_at=timezone.now(), open_thread_id=thread_id)


@dataclass(frozen=True)
class Call:
    """A request, and what its outcome does to the rows that it was made of."""

    chat: Chat
    method: str
    params: dict[str, Any]
    succeeded: Callable[[Any], None]  # with the result
    # Deals with what concerns the message alone; whether it is to be sent again, otherwise, at once
    failed: Callable[[Action, client.TelegramError], bool]


class Sender:
    """Sends what is due. Of a job's thread; its calls run in others, which leave the database alone."""

    def __init__(self) -> None:
        self._sweep = Sweep()
        self._in_flight: dict[int, Call] = {}  # by the chat's key
        self._outcomes: SimpleQueue[tuple[Call, Any]] = SimpleQueue()
        self._bot_rests_until = 0.0

    def step(self) -> bool:
        """Returns whether calls are under way, or something is to be sent again at once."""
        self._sweep.run()
        if monotonic() >= self._bot_rests_until:
            self._begin()
        again = False
        deadline = monotonic() + QUICK
        while self._in_flight:
            try:
                call, outcome = self._outcomes.get(timeout=max(0.0, deadline - monotonic()))
            except Empty:
                break
            del self._in_flight[call.chat.pk]
            try:
                again |= self._settle(call, outcome)
            except Exception as exc:
                if is_unavailable(exc):
                    self._in_flight[call.chat.pk] = call
                    self._outcomes.put((call, outcome))  # for when the database is back
                raise
        return bool(self._in_flight) or again

    def _begin(self) -> None:
        now = timezone.now()
        awake = Q(rest_reason="") & (Q(rests_until=None) | Q(rests_until__lte=now))
        asked = Q(open_asked_at__isnull=False)
        # The oldest card of each chat: what is behind it waits, for the sake of the order.
        due = Card.objects.filter(due_at__lte=now).values("chat").annotate(first=Min("pk"))
        first = dict(due.values_list("chat", "first"))
        remind = set(Card.objects.filter(remind_at__lte=now).values_list("chat", flat=True))
        for chat in Chat.objects.filter(awake, sendable(), asked | Q(pk__in=first.keys() | remind)).distinct():
            if len(self._in_flight) >= MOST_IN_FLIGHT:
                break
            if chat.pk in self._in_flight or not client.limiter.is_free(chat.telegram_id):
                continue
            call = (
                (_list_of_open(chat) if chat.open_asked_at else None)
                or (_reminder(chat) if chat.pk in remind else None)
                or (_card(chat, first[chat.pk]) if chat.pk in first else None)
            )
            if call:
                self._start(call)

    def _start(self, call: Call) -> None:
        self._in_flight[call.chat.pk] = call
        client.limiter.note(call.chat.telegram_id)
        threading.Thread(target=self._run, args=(call,), name="telegram-call", daemon=True).start()

    def _run(self, call: Call) -> None:
        try:
            outcome = client.request(call.method, {"chat_id": call.chat.telegram_id, **call.params}, timeout=TIMEOUT)
        except client.TelegramError as exc:
            outcome = exc
        except Exception as exc:
            logger.exception("A call of the Bot API failed")
            outcome = client.TelegramError(type(exc).__name__, transient=True, unknown=True)
        self._outcomes.put((call, outcome))

    def _settle(self, call: Call, outcome: Any) -> bool:
        if not isinstance(outcome, client.TelegramError):
            call.succeeded(outcome)
            return False
        action = action_of(outcome)
        again = call.failed(action, outcome)
        match action:
            case Action.MIGRATED if outcome.supergroup is not None:
                migrate(call.chat.bot_id, call.chat.telegram_id, outcome.supergroup)
                again = True
            case Action.CHAT_RESTS:
                rest(call.chat, outcome.description)
            case Action.CHAT_WAITS:
                seconds = outcome.retry_after or LONGEST_BACKOFF.total_seconds()
                _wait(call.chat, timedelta(seconds=min(seconds, 10**8)))
                logger.warning("The chat %s waits %d seconds: %s", call.chat, seconds, outcome)
            case Action.BOT_RESTS:
                if not self._bot_rests_until:
                    logger.error("Telegram refuses the bot: %s. See TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL.", outcome)
                self._bot_rests_until = monotonic() + BOT_BACKOFF
                return False
        self._bot_rests_until = 0.0
        return again


def rest(chat: Chat, reason: str) -> None:
    """Sends nothing to the chat until its administrators change something or a person presses retry; said once."""
    if Chat.objects.filter(pk=chat.pk, rest_reason="").update(rest_reason=(reason or "?")[:255]):
        logger.error(
            "Nothing can be sent to the chat %s (%d): %s. Let the bot write there; sending resumes when Telegram tells "
            "of it, or when retry is pressed in the admin.",
            chat,
            chat.telegram_id,
            reason,
        )


def resume(chats: QuerySet[Chat]) -> None:
    """Sends to chats at rest again. A time that Telegram named still holds."""
    chats.update(rest_reason="")


def _wait(chat: Chat, pause: timedelta) -> None:
    Chat.objects.filter(pk=chat.pk).update(rests_until=timezone.now() + pause)


def _backoff(failures: int) -> timedelta:
    return min(FIRST_BACKOFF * 2 ** min(failures, 10), LONGEST_BACKOFF)


def _message(text: str, thread_id: int | None, **params: Any) -> dict[str, Any]:
    """The parameters of sendMessage: without parse_mode, so that any text is shown as it is."""
    if thread_id:
        params["message_thread_id"] = thread_id
    return {"text": text, "link_preview_options": {"is_disabled": True}, **params}


# Cards


def _card(chat: Chat, card_id: int) -> Call | None:
    """The call that brings a card up to date."""
    card = Card.objects.select_related("incident").get(pk=card_id)
    card.chat = chat
    text, markup = render(card)
    shows = card.incident.updated_at
    succeeded, failed = partial(_card_shown, card, shows), partial(_card_failed, card, shows)
    if card.is_sent:
        params = {"message_id": card.message_id, "text": text, "reply_markup": markup}
        params["link_preview_options"] = {"is_disabled": True}
        return Call(chat, "editMessageText", params, succeeded, failed)
    now = timezone.now()
    if card.send_began_at and card.send_began_at > now - IN_FLIGHT:
        return None  # another process may still be at it
    if card.send_began_at and not _note_unknown(card):
        return None
    Card.objects.filter(pk=card.pk).update(send_began_at=now)
    params = _message(text, card.thread_id, reply_markup=markup)
    if card.reply_to:
        params["reply_parameters"] = {"message_id": card.reply_to}
    if card.direct_topic_id:
        params["direct_messages_topic_id"] = card.direct_topic_id
    return Call(chat, "sendMessage", params, succeeded, failed)


def render(card: Card) -> tuple[str, dict[str, Any]]:
    """The text and the buttons of a card, of the incident's present state in the chat's language."""
    incident, language = card.incident, card.chat.language
    history = IncidentChange.objects.filter(incident=incident).order_by("pk")
    author = history.values_list("actor", flat=True).first()
    handlers = history.filter(changes__has_key="status").exclude(changes__status__0=None)
    # By the author's clock, as `created_at`; `updated_at` of an unchanged incident is when it was recorded.
    changed_at = history.filter(changes__has_any_keys=WRITABLE).values_list("at", flat=True).last()
    album = incident.messages.exclude(media_group_id="").count()
    text = card_text(
        number=incident.pk,
        status=Status(incident.status),
        source=Source(incident.source),
        description=incident.description,
        author=author or "?",
        handler=handlers.values_list(Coalesce("taken_by", "actor"), flat=True).last(),
        created_at=incident.created_at,
        updated_at=changed_at or incident.created_at,
        language=language,
        zone=zone_of(card.chat),
        attachments=album,
    )
    return text, keyboard(incident.pk, Status(incident.status), language)


def _card_shown(card: Card, shows: datetime, result: Any) -> None:
    changes: dict[str, Any] = {"shows": shows, "failures": 0, "failed": False, "error": ""}
    if not card.is_sent:
        changes |= {"message_id": result["message_id"], "send_began_at": None, "sends_unknown": 0}
    with transaction.atomic():
        if card.incident.status not in UNRESOLVED:
            changes |= {"remind_at": None, "remind_from": None}
        elif card.remind_at is None and card.remind_from is None:
            changes |= times_from_now(card.chat)
        Card.objects.filter(pk=card.pk).update(**changes)
        # Unless it became due again meanwhile, as by a late part of an album
        Card.objects.filter(pk=card.pk, due_at=card.due_at).update(due_at=None)


def _card_failed(card: Card, shows: datetime, action: Action, error: client.TelegramError) -> bool:
    sending = not card.is_sent
    row = Card.objects.filter(pk=card.pk)
    if sending and action is not Action.UNKNOWN:
        row.update(send_began_at=None)
    match action:
        case Action.DONE if not sending:
            _card_shown(card, shows, None)
            return False
        case Action.NEW_CARD if not sending and not card.replaced:
            row.update(message_id=None, replaced=True)
            return True
        case Action.WITHOUT_REPLY if sending and card.reply_to:
            row.update(reply_to=None)
            return True
        case Action.WITHOUT_THREAD if sending and (card.thread_id or card.direct_topic_id):
            row.update(thread_id=None, direct_topic_id=None, outside_topic=True)
            return True
        case Action.UNKNOWN if sending:
            if _note_unknown(card):
                _wait(card.chat, _backoff(0))
        case Action.LATER | Action.UNKNOWN:
            row.update(failures=F("failures") + 1, error=str(error)[:255])
            if error.status is not None and card.failures >= PATIENCE:
                row.update(due_at=timezone.now() + POSTPONED)
            else:
                _wait(card.chat, _backoff(card.failures))
        case Action.MIGRATED | Action.CHAT_RESTS | Action.CHAT_WAITS | Action.BOT_RESTS:
            pass  # these concern the chat, or the bot
        case _:
            give_up(card, str(error), shows)
    return False


def _note_unknown(card: Card) -> bool:
    """After a call whose response was lost: whether the card may be sent again, which it may once."""
    changes = {"sends_unknown": F("sends_unknown") + 1, "send_began_at": None}
    if not Card.objects.filter(pk=card.pk).exclude(message_id__gt=0).update(**changes):
        return False  # adopted meanwhile
    if card.sends_unknown:
        with override(card.chat.language):
            give_up(card, _("Twice Telegram did not say whether it took the message: it may be in the chat."), None)
        return False
    return True


def give_up(card: Card, error: str, shows: datetime | None) -> None:
    """Until the incident changes, where the card is in the chat, or a person presses retry."""
    Card.objects.filter(pk=card.pk).update(failed=True, error=error[:255], due_at=None, shows=shows or card.shows)
    logger.error("The card of incident %d failed in the chat %s: %s", card.incident_id, card.chat, error)


_ANEW: dict[str, Any] = {"failed": False, "error": "", "failures": 0, "sends_unknown": 0, "send_began_at": None}


def retry(cards: QuerySet[Card]) -> None:
    """Sends them anew, as if they had never failed."""
    cards.update(**_ANEW, due_at=timezone.now(), replaced=False)


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
    unknown = Q(sends_unknown__gt=0) | Q(send_began_at__isnull=False)
    row = cards.filter(unknown, incident=incident_id).exclude(message_id__gt=0)
    row.update(**_ANEW, message_id=message_id, due_at=timezone.now())


# Lists and reminders


def _list_of_open(chat: Chat) -> Call | None:
    row = Chat.objects.filter(pk=chat.pk, open_asked_at=chat.open_asked_at)

    def done(result: Any = None) -> None:
        row.update(open_asked_at=None)

    if chat.open_asked_at and chat.open_asked_at < timezone.now() - STALE_LIST:
        done()
        return None

    def failed(action: Action, error: client.TelegramError) -> bool:
        match action:
            case Action.WITHOUT_THREAD if chat.open_thread_id:
                return bool(row.update(open_thread_id=None))
            case Action.LATER:
                _wait(chat, _backoff(0))
            case Action.MIGRATED | Action.CHAT_RESTS | Action.CHAT_WAITS | Action.BOT_RESTS:
                pass
            case _:
                logger.warning("The list of open incidents was not sent to the chat %s: %s", chat, error)
                done()
        return False

    params = _message(open_list(chat), chat.open_thread_id)
    return Call(chat, "sendMessage", params, done, failed)


def _reminder(chat: Chat) -> Call | None:
    reminder = reminder_for(chat)
    if reminder is None:
        return None

    def failed(action: Action, error: client.TelegramError) -> bool:
        match action:
            case Action.WITHOUT_THREAD if reminder.thread_id:
                return bool(Card.objects.filter(pk__in=reminder.card_ids).update(thread_id=None))
            case Action.LATER:
                _wait(chat, _backoff(0))
            case Action.MIGRATED | Action.CHAT_RESTS | Action.CHAT_WAITS | Action.BOT_RESTS:
                pass
            case _:
                logger.warning("A reminder was not sent to the chat %s: %s", chat, error)
                note_sent(chat, reminder, None)
        return False

    params = _message(reminder.text, reminder.thread_id, reply_markup=reminder.markup)
    return Call(chat, "sendMessage", params, lambda result: note_sent(chat, reminder, result["message_id"]), failed)
