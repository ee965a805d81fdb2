"""What becomes of an update (https://core.telegram.org/bots/api#update), whether it was polled or posted."""

import hashlib
import json
import logging
from functools import partial
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override
from rest_framework.exceptions import Throttled

from core.db.postgresql import DOWN
from identity import throttling
from incidents.models import Channel
from intake.inbox import Outcome, process, receive
from intake.models import Delivery
from telegram import chats
from telegram.bot_api import client
from telegram.models import ChatAlias
from telegram.reading import updates
from telegram.reading.reports import NotUnderstoodError, Report
from telegram.reading.updates import Update
from telegram.receiving import accounts, callback_queries
from telegram.receiving.messages import Reader, incident_of, is_ours, replied_card
from telegram.sending import answers, sender

logger = logging.getLogger(__name__)


def take(body: bytes) -> None:
    """
    Stores an update, and then processes it: the jobs do where that fails.

    Updates of chats that are not allowed are not stored; of kinds that are not handled, their kind and id alone. Raises
    django.db's errors where it could not be stored.
    """
    update, external_id = _identify(body)
    if update and not _is_wanted(update):
        return
    if update and not _is_content_kept(update):
        content = {"id": update.own_id} if update.own_id else {}
        body = json.dumps({"update_id": update.id, update.kind: content}).encode()
    delivery = receive(channel=Channel.TELEGRAM, external_id=external_id, body=body)
    try:
        process(delivery.pk, handler=partial(handle, update=update))
    except DOWN as exc:
        logger.warning("Delivery %d is stored, and processed later: %s", delivery.pk, exc)
        return
    if update:
        _show_open_if_asked(update)


def _identify(body: bytes) -> tuple[Update | None, str]:
    """Returns the update, None if it is not understood, and what makes it the same when it comes again."""
    canonical, update = body, None
    try:
        payload = json.loads(body)
        canonical = json.dumps(payload, sort_keys=True).encode()
        update = updates.read(payload)
    except (ValueError, RecursionError):
        pass
    digest = hashlib.sha256(canonical).hexdigest()
    return update, f"{client.bot_id()}:{update.id if update else ''}:{digest}"


def _is_wanted(update: Update) -> bool:
    """Whether the update is to be stored."""
    try:
        return _admit(update)
    except DOWN:
        raise
    except Exception:
        logger.exception("The chat of an update was not understood")
        return True


def _is_content_kept(update: Update) -> bool:
    """
    Returns whether the content of an update is stored, and not its kind and id alone.

    Kinds that are not used may come from any chat, or from none: no one has allowed it. A kind that is not known may be
    handled one day: of an allowed chat it is kept for a replay.
    """
    if update.is_handled:
        return update.kind != "callback_query" or update.chat is not None
    if update.kind in updates.OTHER_UPDATES or update.chat is None:
        return False
    alias = ChatAlias.objects.filter(bot_id=client.bot_id(), telegram_id=update.chat.id).select_related("chat").first()
    return alias is not None and chats.is_allowed(alias.chat)


def _admit(update: Update) -> bool:
    if not update.is_handled or update.chat is None:
        return True
    for old, new in update.migrations:
        chats.migrate(client.bot_id(), old, new)
    alias = chats.find(client.bot_id(), update.chat)
    with override(alias.chat.language):
        if code := _link_code(update):
            # Never stored: it is a secret, if for an hour.
            _link_account(code, update.chat.id, update.report)
            return False
        if chats.is_allowed(alias.chat):
            return True
        if update.kind == "my_chat_member":
            chats.set_membership(alias, update.membership)
            return False
        if chats.is_notified(alias.chat) and _is_about_a_card(alias, update):
            return True
    chats.ignore(alias.chat)
    return False


def _is_about_a_card(alias: ChatAlias, update: Update) -> bool:
    if update.kind == "callback_query":
        return True
    report = update.report
    if replied_card(report, alias.bot_id):
        return True
    return incident_of(alias, report.message_id) is not None or incident_of(alias, report.reply_to) is not None


def _text_of_command(update: Update, name: str) -> str | None:
    """Returns what follows `/name`, None if the message is not that command for this bot."""
    try:
        command = update.report.command
    except NotUnderstoodError:
        return None
    return command.text if command and command.name == name and is_ours(command, client.bot_id()) else None


def _link_code(update: Update) -> str:
    """Of `/start CODE` in private."""
    if update.kind not in ("message", "edited_message") or update.chat is None or update.chat.type != "private":
        return ""
    return _text_of_command(update, "start") or ""


def _link_account(code: str, chat_id: int, report: Report) -> None:
    with override(report.language_code[:2] or None):
        link = partial(accounts.link_account, code, report.author)
        try:
            user = throttling.attempt(f"telegram {chat_id}", str(chat_id), link)
        except Throttled as exc:
            minutes = ceil((exc.wait or 0) / 60)  # type: ignore[attr-defined]  # the stubs lack it
            wait = ngettext("Try again in %d minute.", "Try again in %d minutes.", minutes) % minutes
            text = f"{_('Too many wrong codes.')} {wait}"
        else:
            text = (
                _("This account now belongs to the user %s.") % user.get_username()
                if user
                else _("The code is wrong or was used already. A new one is made on the user's page in the admin.")
            )
    answers.send(chat_id, "sendMessage", {"chat_id": chat_id, "text": text})


def _show_open_if_asked(update: Update) -> None:
    """`/open` is a question, which a replay does not ask again; one that a bot asks could go on for ever."""
    if update.kind not in ("message", "channel_post") or update.chat is None:
        return
    if _text_of_command(update, "open") is not None and update.report.author.bot_id is None:
        sender.show_open(chats.find(client.bot_id(), update.chat).chat, update.report.thread_id)


# Processing, in the transaction of the inbox: no calls of Telegram


def handle(delivery: Delivery, *, update: Update | None = None) -> Outcome:
    """
    Makes of an update what it tells. Raises NotUnderstoodError, ValueError.

    `update` is what the delivery holds, if it was read already.
    """
    bot_id = int(delivery.external_id.partition(":")[0])
    if update is None:
        update = updates.read(json.loads(bytes(delivery.body)))
    if not update.is_handled:
        if update.kind in updates.OTHER_UPDATES:
            return Outcome(Delivery.State.SKIPPED, [f"not handled: {update.kind}"])
        outcome = Outcome()
        outcome.fault(f"not handled: an update of an unknown kind: {update.kind[:100]}")
        return outcome
    alias = _locked(bot_id, update)
    if alias is None and update.chat is None and update.kind != "callback_query":  # under a message sent inline
        raise NotUnderstoodError("The update has no chat.")
    if alias is None:
        return Outcome(Delivery.State.SKIPPED, ["not handled: the chat is not known"])
    with override(alias.chat.language):
        match update.kind:
            case "my_chat_member":
                chats.set_membership(alias, update.membership)
                return Outcome()
            case "callback_query":
                return callback_queries.handle(alias, update.callback_query, delivery)
            case _:
                return Reader(bot_id, alias, delivery).take(update.report, is_edit=update.is_edit)


def _locked(bot_id: int, update: Update) -> ChatAlias | None:
    """Locks the chat: albums, replies and edits of one chat are taken one at a time."""
    if update.chat is None:
        return None
    # Not as for an UPDATE of the key: other transactions may go on to refer to the chat.
    aliases = ChatAlias.objects.select_related("chat").select_for_update(no_key=True, of=("chat",))
    found = aliases.filter(bot_id=bot_id, telegram_id=update.chat.id)
    # Once more if it was merged into another chat while its lock was waited for
    return found.first() or found.first()
