"""Long polling, getMe, and the registration of the webhook."""

import hashlib
import json
import logging
from time import monotonic
from typing import Any

from django.conf import settings
from django.utils import timezone

from core.jobs import NotNowError
from core.log.context import LogContext, log_context
from telegram import chats
from telegram.bot_api import client
from telegram.bot_api.client import TelegramError
from telegram.models import Bot
from telegram.reading.updates import ALLOWED_UPDATES
from telegram.receiving import updates

logger = logging.getLogger(__name__)

LONG_POLL_SECONDS = 3  # that Telegram waits for an update: less than a process that ends waits for its jobs
TIMEOUT = (5, LONG_POLL_SECONDS + 10)  # seconds, to connect and to read
MAX_STEP_SECONDS = 5.0  # after which a batch and a request may follow: less than half a lease


def poll() -> bool:
    """
    Stores and processes what waits; an update is confirmed, by the offset of the next request, when it is committed.

    A step begins without an offset: ids start anew at random after a week without updates, and an offset from before
    would drop them. What was stored before is recognized. Raises NotNowError.
    """
    if not Bot.objects.filter(pk=client.bot_id()).exists():
        _get_me()
    began = monotonic()
    until = began + MAX_STEP_SECONDS
    batch = _get_updates(timeout=LONG_POLL_SECONDS)
    if not batch:
        # Some servers of other makers hold no request back: those are asked at the job's interval.
        return monotonic() - began >= LONG_POLL_SECONDS / 2
    while batch:
        for update in batch:
            with log_context(LogContext(job="telegram_poll")):  # a request id for each
                updates.take(json.dumps(update).encode())
        batch = _get_updates(timeout=0, offset=max(update["update_id"] for update in batch) + 1)
        if monotonic() > until:
            break  # the next step begins with this batch
    return True


def _get_updates(**params: Any) -> list[Any]:
    try:
        found = _call("getUpdates", params | {"allowed_updates": ALLOWED_UPDATES}, timeout=TIMEOUT)
    except NotNowError as exc:
        _note(str(exc))
        raise
    _note("")
    return found


def _call(method: str, params: dict[str, Any], *, timeout: tuple[float, float] | None = None) -> Any:
    try:
        return client.request(method, params, timeout=timeout)
    except TelegramError as exc:
        is_webhook = exc.status == 409 and "webhook" in exc.description
        hint = ". Remove it by `manage.py telegram_poll --remove-webhook`." if is_webhook else ""
        raise NotNowError(f"{exc}{hint}") from None


def _note(trouble: str) -> None:
    Bot.objects.filter(pk=client.bot_id()).exclude(trouble=trouble[:255]).update(trouble=trouble[:255])


def refresh_bot() -> bool:
    """Stores what getMe says, and registers the webhook if Telegram has another one. Raises NotNowError."""
    _get_me()
    chats.add_configured()
    if settings.TELEGRAM_WEBHOOK_URL:
        _register_webhook()
    return False


def _get_me() -> None:
    me = _call("getMe", {})
    values = {
        "username": str(me.get("username", ""))[:64],
        "can_read_all_group_messages": me.get("can_read_all_group_messages") is True,
        "checked_at": timezone.now(),
    }
    Bot.objects.update_or_create(pk=client.bot_id(), defaults=values)


def _register_webhook() -> None:
    url, secret = settings.TELEGRAM_WEBHOOK_URL, settings.TELEGRAM_WEBHOOK_SECRET
    info = _call("getWebhookInfo", {})
    bot = Bot.objects.filter(pk=client.bot_id())
    digest = hashlib.sha256(f"{url} {secret}".encode()).hexdigest()
    is_same = info.get("url") == url and sorted(info.get("allowed_updates", [])) == sorted(ALLOWED_UPDATES)
    if not is_same or not bot.filter(webhook_digest=digest).exists():
        # One connection: updates come in their order.
        params = {"url": url, "secret_token": secret, "allowed_updates": ALLOWED_UPDATES, "max_connections": 1}
        _call("setWebhook", params)
        bot.update(webhook_digest=digest)
        logger.info("The webhook was registered.")
    _note(str(info.get("last_error_message") or ""))
