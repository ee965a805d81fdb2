"""What works of Telegram and what does not, in words, and the figures that the metrics show."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from core.models import Heartbeat
from incidents.models import Channel
from intake.models import Delivery
from telegram.bot_api import client
from telegram.models import Bot, Card, Chat
from telegram.receiving.fetching import failed_files, pending
from telegram.sending.outdated import notify_id, sendable

POLL_ALARM = timedelta(minutes=5)
MAX_CHATS = 50  # that Telegram is asked about


@dataclass(frozen=True)
class Line:
    """Something that works, or, with a hint at the remedy, does not."""

    text: str
    hint: str = ""


def is_polled() -> bool:
    """Whether Telegram is asked for updates: not if it posts them to a webhook, or is off."""
    return bool(settings.TELEGRAM_BOT_TOKEN) and not settings.TELEGRAM_WEBHOOK_URL


def last_poll_age() -> float | None:
    """Seconds since Telegram was last asked for updates; None if it never was, or is not."""
    return _age(_last_poll_at()) if is_polled() else None


def health_detail() -> dict[str, Any] | None:
    """For ready/: the state and the time of the last poll."""
    if not is_polled():
        return None
    at = _last_poll_at()
    state = "ok" if at and timezone.now() - at <= POLL_ALARM else "late"
    return {"state": state, "last_poll_at": at and at.replace(microsecond=0)}


def oldest_unsent_age() -> float:
    """Seconds since the card that waits longest was due; 0 if none waits, or Telegram is off."""
    if not settings.TELEGRAM_BOT_TOKEN:
        return 0.0
    return _age(Card.objects.filter(due_at__lte=timezone.now()).aggregate(oldest=Min("due_at"))["oldest"]) or 0.0


def oldest_unfetched_age() -> float:
    """Seconds since the message came whose file waits longest to be fetched; 0 if none waits, or Telegram is off."""
    if not settings.TELEGRAM_BOT_TOKEN:
        return 0.0
    return _age(pending().aggregate(oldest=Min("attachment__created_at"))["oldest"]) or 0.0


def report() -> Iterator[Line]:
    """Asks Telegram too, so that it takes some seconds."""
    if not settings.TELEGRAM_BOT_TOKEN:
        yield Line("Telegram is off.", "Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.")
        return
    try:
        me = client.request("getMe", {})
    except client.TelegramError as exc:
        yield Line(f"Telegram does not accept the bot: {exc}.", "See TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL.")
        return
    yield Line(f"The bot is @{me.get('username')}.")
    yield from _updates()
    yield from _chats(sees_all=bool(me.get("can_read_all_group_messages")))
    yield from _notify_chat()
    yield from _waiting()


def _updates() -> Iterator[Line]:
    try:
        webhook = client.request("getWebhookInfo", {})
    except client.TelegramError as exc:
        yield Line(f"Telegram does not say how updates come: {exc}.", "Try again later.")
        return
    trouble = Bot.objects.filter(pk=client.bot_id()).values_list("trouble", flat=True).first()
    if settings.TELEGRAM_WEBHOOK_URL:
        yield from _webhook(webhook)
    elif webhook.get("url"):
        yield Line(
            "Updates go to a webhook that another program has set, so that polling gets none.",
            "Remove it with `manage.py telegram_poll --remove-webhook`, or give this service a bot of its own.",
        )
    else:
        yield from _polling()
    if trouble:
        hint = "Another program uses this bot: stop it, or give it another token." if " 409 " in trouble else ""
        yield Line(f"The last try to get updates failed: {trouble}.", hint or "It is tried again by itself.")


def _webhook(info: dict) -> Iterator[Line]:
    if info.get("url") != settings.TELEGRAM_WEBHOOK_URL:
        yield Line(
            "The webhook is not registered.", "`manage.py run_jobs` does that within ten minutes: is it running?"
        )
        return
    yield Line(f"Updates come to the webhook; {info.get('pending_update_count', 0)} wait at Telegram.")
    if error := info.get("last_error_message"):
        yield Line(
            f"Telegram could not deliver: {error}.",
            "Telegram must reach TELEGRAM_WEBHOOK_URL, with a valid certificate.",
        )


def _polling() -> Iterator[Line]:
    age = last_poll_age()
    if age is None:
        yield Line("Telegram was never asked for updates.", "Start `manage.py run_jobs`.")
    elif age > POLL_ALARM.total_seconds():
        yield Line(
            f"Telegram was asked for updates {_words(age)} ago. It keeps them for 24 hours, then reports are lost.",
            "Start `manage.py run_jobs`, and look into its log.",
        )
    else:
        yield Line(f"Telegram was asked for updates {_words(age)} ago.")


def _chats(*, sees_all: bool) -> Iterator[Line]:
    of_bot = Chat.objects.filter(bot_id=client.bot_id())
    used = of_bot.filter(sendable()).distinct().order_by("pk")
    if not used:
        yield Line("No chat is allowed.", "Add the bot to a chat, and allow the chat in the admin.")
    for chat in used[:MAX_CHATS]:
        yield from _chat(chat, sees_all=sees_all)
    if len(used) > MAX_CHATS:
        yield Line(f"{len(used) - MAX_CHATS} more chats were not looked at.")
    for chat in of_bot.filter(allowed=False, notify_after_id=None):
        yield Line(
            f"The chat {_name(chat)} is not allowed; {chat.ignored} of its updates were ignored.",
            "Allow it in the admin, or remove the bot from it.",
        )


def _chat(chat: Chat, *, sees_all: bool) -> Iterator[Line]:
    name = _name(chat)
    try:
        member = client.request("getChatMember", {"chat_id": chat.telegram_id, "user_id": chat.bot_id})
    except client.TelegramError as exc:
        yield Line(f"{name}: {exc}.", "Add the bot to the chat.")
        return
    status = member.get("status")
    can_send = member.get("can_send_messages", status != "restricted") and member.get("can_post_messages", True)
    if status in ("left", "kicked"):
        yield Line(f"{name}: the bot is not a member ({status}).", "Add the bot to the chat.")
    elif not can_send:
        yield Line(f"{name}: the bot may not write.", "Give it the right to send messages.")
    elif chat.allowed and chat.mode == Chat.Mode.ALL and chat.telegram_id < 0 and not sees_all and status == "member":
        yield Line(
            f"{name}: every message is to be a report, but privacy mode hides most of them from the bot.",
            "Make the bot an administrator there, or turn privacy mode off at @BotFather (/setprivacy), "
            "then remove the bot from the chat and add it again.",
        )
    else:
        yield Line(f"{name}: the bot may read and write ({status}).")
    if chat.pause_reason:
        yield Line(
            f"{name}: nothing is sent, since Telegram refused it: {chat.pause_reason}.",
            "Give the bot its rights; then press retry at the chat in the admin.",
        )
    elif chat.paused_until and chat.paused_until > timezone.now():
        yield Line(f"{name}: Telegram takes nothing before {chat.paused_until:%Y-%m-%d %H:%M:%S} UTC.", "Wait.")


def _notify_chat() -> Iterator[Line]:
    if not settings.TELEGRAM_NOTIFY_CHAT:
        yield Line("TELEGRAM_NOTIFY_CHAT is not set: incidents that come otherwise are shown in no chat.")
    elif notify_id() is None:
        yield Line("TELEGRAM_NOTIFY_CHAT is no chat's id.", "Write the number, which begins with - for groups.")


def _waiting() -> Iterator[Line]:
    now = timezone.now()
    due = Card.objects.filter(chat__bot_id=client.bot_id(), due_at__lte=now).count()
    if (age := oldest_unsent_age()) > POLL_ALARM.total_seconds():
        yield Line(
            f"Cards that wait to be sent: {due}, the oldest for {_words(age)}.",
            "See the chats above; is `run_jobs` running?",
        )
    else:
        yield Line(f"Cards that wait to be sent: {due}.")
    if failed := Card.objects.filter(state=Card.State.FAILED).count():
        yield Line(
            f"Cards that failed: {failed}.",
            "See them in the admin, with what Telegram said; choose them there, and send them again.",
        )
    yield from _files()
    deliveries = Delivery.objects.filter(channel=Channel.TELEGRAM)
    yield Line(f"Updates that wait to be processed: {deliveries.filter(state=Delivery.State.PENDING).count()}.")
    if faulty := deliveries.filter(state=Delivery.State.FAULTY).count():
        yield Line(
            f"Updates that were not understood: {faulty}.", "See the deliveries in the admin; they can be replayed."
        )


def _files() -> Iterator[Line]:
    waiting = pending()
    if (age := oldest_unfetched_age()) > POLL_ALARM.total_seconds():
        last = waiting.exclude(error="").order_by("-due_at").values_list("error", flat=True).first()
        why = f" The last attempt: {last}." if last else ""
        yield Line(
            f"Files that wait to be fetched: {waiting.count()}, the oldest for {_words(age)}.{why}",
            "They are tried again by themselves; is `run_jobs` running?",
        )
    else:
        yield Line(f"Files that wait to be fetched: {waiting.count()}.")
    if failed := failed_files().count():
        yield Line(
            f"Files that could not be fetched: {failed}.",
            "See them in the admin, with the reason; choose them there, and fetch them again.",
        )


def _name(chat: Chat) -> str:
    return f"{chat.title} ({chat.telegram_id})" if chat.title else str(chat.telegram_id)


def _last_poll_at() -> datetime | None:
    return Heartbeat.objects.filter(job="telegram_poll").values_list("ran_at", flat=True).first()


def _age(at: datetime | None) -> float | None:
    return max(0.0, (timezone.now() - at).total_seconds()) if at else None


def _words(seconds: float) -> str:
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next(((unit, length) for unit, length in units if seconds >= length), units[-1])
    number = int(seconds // length)
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
