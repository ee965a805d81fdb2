"""
What the bot sends: cards, lists of open incidents, reminders.

They come from rows that say what is due, so that nothing is lost or sent twice when a process dies. One job sends them,
a call at a time in each chat; the calls of different chats do not wait for each other.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from core.db.postgresql import is_unavailable
from incidents.history import STATUS_OR_TAKER, full_names
from incidents.models import UNRESOLVED, IncidentChange, Source, Status
from incidents.services import CHANGEABLE
from telegram import card_states
from telegram.bot_api import client
from telegram.chats import migrate
from telegram.models import Card, Chat
from telegram.sending import answers
from telegram.sending.cards import card_text, cut, keyboard
from telegram.sending.failures import Action, action_of
from telegram.sending.outdated import Sweep, sendable
from telegram.sending.reminders import note_sent, open_list, reminder_for, times_from_now, zone_of

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = (5, 25)  # Telegram holds requests back in chats with slow mode
# A call that was begun this long ago is over: its process has died.
CALL_LOST_AFTER = timedelta(seconds=60)
MAX_IN_FLIGHT = 20  # calls
MAX_WAIT_SECONDS = 2.0  # in a step, for the calls that it began
MIN_BACKOFF, MAX_BACKOFF = timedelta(seconds=2), timedelta(seconds=30)
BOT_PAUSE_SECONDS = 60.0  # while the token is refused
# After so many 5xx errors a card is postponed, so that it does not block the queue.
MAX_FAILURES, POSTPONE_BY = 30, timedelta(hours=1)
LIST_EXPIRES_AFTER = timedelta(minutes=10)


def answer_callback_query(callback_id: str, text: str) -> None:
    """Tells a person what the press of a button did."""
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
    # Handles failures of this message. Returns True to retry immediately.
    failed: Callable[[Action, client.TelegramError], bool]


class Sender:
    """Sends what is due. Of a job's thread; its calls run in others, which leave the database alone."""

    def __init__(self) -> None:
        self._sweep = Sweep()
        self._in_flight: dict[int, Call] = {}  # by the chat's key
        self._outcomes: SimpleQueue[tuple[Call, Any]] = SimpleQueue()
        self._bot_paused_until = 0.0

    def step(self) -> bool:
        """Returns whether calls are under way, or something is to be sent again at once."""
        self._sweep.run()
        if monotonic() >= self._bot_paused_until:
            self._begin()
        again = False
        deadline = monotonic() + MAX_WAIT_SECONDS
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
        unpaused = Q(pause_reason="") & (Q(paused_until=None) | Q(paused_until__lte=now))
        asked = Q(open_asked_at__isnull=False)
        # The oldest card of each chat: what is behind it waits, for the sake of the order.
        due = Card.objects.filter(due_at__lte=now).values("chat").annotate(first=Min("pk"))
        first = dict(due.values_list("chat", "first"))
        remind = set(Card.objects.filter(remind_at__lte=now).values_list("chat", flat=True))
        for chat in Chat.objects.filter(unpaused, sendable(), asked | Q(pk__in=first.keys() | remind)).distinct():
            if len(self._in_flight) >= MAX_IN_FLIGHT:
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
            outcome = client.request(
                call.method, {"chat_id": call.chat.telegram_id, **call.params}, timeout=TIMEOUT_SECONDS
            )
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
            case Action.CHAT_PAUSED:
                pause(call.chat, outcome.description)
            case Action.CHAT_THROTTLED:
                seconds = outcome.retry_after or MAX_BACKOFF.total_seconds()
                _pause_for(call.chat, timedelta(seconds=min(seconds, 10**8)))
                logger.warning("The chat %s waits %d seconds: %s", call.chat, seconds, outcome)
            case Action.BOT_PAUSED:
                if not self._bot_paused_until:
                    logger.error("Telegram refuses the bot: %s. See TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL.", outcome)
                self._bot_paused_until = monotonic() + BOT_PAUSE_SECONDS
                return False
        self._bot_paused_until = 0.0
        return again


def pause(chat: Chat, reason: str) -> None:
    """Sends nothing to the chat until its administrators change something or a person presses retry; said once."""
    if Chat.objects.filter(pk=chat.pk, pause_reason="").update(pause_reason=(reason or "?")[:255]):
        logger.error(
            "Nothing can be sent to the chat %s (%d): %s. Let the bot write there; sending resumes when Telegram tells "
            "of it, or when retry is pressed in the admin.",
            chat,
            chat.telegram_id,
            reason,
        )


def resume(chats: QuerySet[Chat]) -> None:
    """Sends to paused chats again. A time that Telegram named still holds."""
    chats.update(pause_reason="")


def _pause_for(chat: Chat, delay: timedelta) -> None:
    Chat.objects.filter(pk=chat.pk).update(paused_until=timezone.now() + delay)


def _backoff(failures: int) -> timedelta:
    return min(MIN_BACKOFF * 2 ** min(failures, 10), MAX_BACKOFF)


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
    attachments = card.incident.attachments.count()
    text, markup = render(card, attachments)
    shows = {"shows": card.incident.updated_at, "attachments": attachments}
    succeeded, failed = partial(_card_shown, card, shows), partial(_card_failed, card, shows)
    if card.is_sent:
        params = {"message_id": card.message_id, "text": text, "reply_markup": markup}
        params["link_preview_options"] = {"is_disabled": True}
        return Call(chat, "editMessageText", params, succeeded, failed)
    if card.state == Card.State.SENDING:
        if card.send_began_at and card.send_began_at > timezone.now() - CALL_LOST_AFTER:
            return None  # another process may still be at it
        if not card_states.lost(card):
            return None
    if not card_states.begin(card):
        return None
    params = _message(text, card.thread_id, reply_markup=markup)
    if card.reply_to:
        params["reply_parameters"] = {"message_id": card.reply_to}
    if card.direct_topic_id:
        params["direct_messages_topic_id"] = card.direct_topic_id
    return Call(chat, "sendMessage", params, succeeded, failed)


def render(card: Card, attachments: int) -> tuple[str, dict[str, Any]]:
    """The text and the buttons of a card, of the incident's present state in the chat's language."""
    incident, language = card.incident, card.chat.language
    history = IncidentChange.objects.filter(incident=incident).order_by("pk")
    author = history.values_list("actor", flat=True).first()
    handled = history.filter(STATUS_OR_TAKER).last()
    # By the author's clock, as `created_at`; `updated_at` of an unchanged incident is when it was recorded.
    changed_at = history.filter(changes__has_any_keys=CHANGEABLE).values_list("at", flat=True).last()
    text = card_text(
        number=incident.pk,
        status=Status(incident.status),
        source=Source(incident.source),
        description=incident.description,
        author=author or "?",
        handler=_handler(handled) if handled else None,
        created_at=incident.created_at,
        updated_at=changed_at or incident.created_at,
        language=language,
        zone=zone_of(card.chat),
        urgent=incident.urgent,
        attachments=attachments,
        duplicate_of=incident.duplicate_of_id,
        duplicates=incident.duplicates.count(),
    )
    return text, keyboard(incident.pk, Status(incident.status), language, urgent=incident.urgent)


def _handler(entry: IncidentChange) -> str | None:
    """Names who changed the status or was given the incident by an entry, or had taken it before what that undoes."""
    if "description" in entry.changes and entry.changes["description"][0] is None:
        return None  # created it
    taker = entry.changes.get("taken_by", [None, entry.actor])[1] if entry.taken_by is None else entry.taken_by
    return full_names([taker]).get(taker, taker)


def _card_shown(card: Card, shows: dict[str, Any], result: Any) -> None:
    with transaction.atomic():
        columns = dict(shows)
        if card.incident.status not in UNRESOLVED:
            columns |= {"remind_at": None, "remind_from": None}
        elif card.remind_at is None and card.remind_from is None:
            columns |= times_from_now(card.chat)
        if card.is_sent:
            card_states.shown(card, **columns)
        else:
            card_states.sent(card, result["message_id"], **columns)


def _card_failed(card: Card, shows: dict[str, Any], action: Action, error: client.TelegramError) -> bool:
    """Handles failures of this card. Returns True to retry immediately."""
    sending = not card.is_sent
    match action:
        case Action.DONE if not sending:
            _card_shown(card, shows, None)
        case Action.NEW_CARD if not sending and not card.replaced:
            card_states.replace(card)
            return True
        case Action.WITHOUT_REPLY if sending and card.reply_to:
            card_states.put_back(card, reply_to=None)
            return True
        case Action.WITHOUT_THREAD if sending and (card.thread_id or card.direct_topic_id):
            card_states.put_back(card, thread_id=None, direct_topic_id=None, outside_topic=True)
            return True
        case Action.UNKNOWN if sending:
            if card_states.lost(card):
                _pause_for(card.chat, _backoff(0))
        case Action.LATER | Action.UNKNOWN:
            noted = {"failures": F("failures") + 1, "error": str(error)[:255]}
            if error.status is not None and card.failures >= MAX_FAILURES:
                card_states.put_back(card, due_at=timezone.now() + POSTPONE_BY, **noted)
            else:
                card_states.put_back(card, **noted)
                _pause_for(card.chat, _backoff(card.failures))
        case Action.MIGRATED | Action.CHAT_PAUSED | Action.CHAT_THROTTLED | Action.BOT_PAUSED:
            card_states.put_back(card)  # these concern the chat, or the bot
        case _:
            card_states.fail(card, str(error), **shows)
    return False


# Lists and reminders


def _list_of_open(chat: Chat) -> Call | None:
    row = Chat.objects.filter(pk=chat.pk, open_asked_at=chat.open_asked_at)

    def done(result: Any = None) -> None:
        row.update(open_asked_at=None)

    if chat.open_asked_at and chat.open_asked_at < timezone.now() - LIST_EXPIRES_AFTER:
        done()
        return None

    def failed(action: Action, error: client.TelegramError) -> bool:
        match action:
            case Action.WITHOUT_THREAD if chat.open_thread_id:
                return bool(row.update(open_thread_id=None))
            case Action.LATER:
                _pause_for(chat, _backoff(0))
            case Action.MIGRATED | Action.CHAT_PAUSED | Action.CHAT_THROTTLED | Action.BOT_PAUSED:
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
                _pause_for(chat, _backoff(0))
            case Action.MIGRATED | Action.CHAT_PAUSED | Action.CHAT_THROTTLED | Action.BOT_PAUSED:
                pass
            case _:
                logger.warning("A reminder was not sent to the chat %s: %s", chat, error)
                note_sent(chat, reminder, None)
        return False

    params = _message(reminder.text, reminder.thread_id, reply_markup=reminder.markup)
    return Call(chat, "sendMessage", params, lambda result: note_sent(chat, reminder, result["message_id"]), failed)
