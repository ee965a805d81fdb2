"""Chats: the ids that Telegram calls them by, which of them are allowed, and what the bot may do there."""

import logging
import re
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from telegram import card_states
from telegram.bot_api import client
from telegram.models import Card, Chat, ChatAlias
from telegram.reading import updates

logger = logging.getLogger(__name__)

LOG_EVERY = timedelta(hours=1)
ID = re.compile(r"-?[0-9]{1,18}")


def configured() -> set[int]:
    """Returns the ids in TELEGRAM_INTAKE_CHATS."""
    return {int(item) for item in settings.TELEGRAM_INTAKE_CHATS if ID.fullmatch(item)}


def find(bot_id: int, chat: updates.Chat) -> ChatAlias:
    """Finds the chat by one of its ids, and updates its title; a new one is shown in the admin and not allowed."""
    aliases = ChatAlias.objects.select_related("chat")
    alias = aliases.filter(bot_id=bot_id, telegram_id=chat.id).first() or add(bot_id, chat.id)
    said = {"title": chat.name[:255], "type": chat.type[:16], "username": chat.username[:64]}
    if alias.chat.telegram_id == chat.id and any(getattr(alias.chat, name) != value for name, value in said.items()):
        Chat.objects.filter(pk=alias.chat_id).update(**said)
        alias.chat.refresh_from_db()
    return alias


@transaction.atomic
def add(bot_id: int, telegram_id: int) -> ChatAlias:
    """Finds the chat by its id, or makes it."""
    # Imported while no bot was set up
    earlier = Chat.objects.filter(bot_id=0, aliases__telegram_id=telegram_id).first()
    if earlier and bot_id:
        earlier.aliases.update(bot_id=bot_id)
        Chat.objects.filter(pk=earlier.pk).update(bot_id=bot_id)
    chat = Chat.objects.filter(bot_id=bot_id, aliases__telegram_id=telegram_id).first()
    if chat is None:
        chat, _ = Chat.objects.get_or_create(bot_id=bot_id, telegram_id=telegram_id)
    alias, _ = ChatAlias.objects.get_or_create(bot_id=bot_id, telegram_id=telegram_id, defaults={"chat": chat})
    return alias


def add_configured() -> None:
    """Shows the chats of TELEGRAM_INTAKE_CHATS in the admin before anything is written there."""
    for telegram_id in configured():
        is_allowed(add(client.bot_id(), telegram_id).chat)


def is_allowed(chat: Chat) -> bool:
    """Whether the admin allows it, or TELEGRAM_INTAKE_CHATS, which the admin cannot take back."""
    if not chat.allowed and (ids := configured()) and chat.aliases.filter(telegram_id__in=ids).exists():
        Chat.objects.filter(pk=chat.pk).update(allowed=True)
        chat.allowed = True
    return chat.allowed


def is_notified(chat: Chat) -> bool:
    """Whether it is the chat of TELEGRAM_NOTIFY_CHAT, whose members press buttons and comment, allowed or not."""
    text = settings.TELEGRAM_NOTIFY_CHAT
    return bool(ID.fullmatch(text)) and chat.aliases.filter(telegram_id=int(text)).exists()


def ignore(chat: Chat) -> None:
    """Counts an update of a chat that is not allowed, and logs the chat's id once an hour."""
    now = timezone.now()
    row = Chat.objects.filter(pk=chat.pk)
    row.update(ignored=F("ignored") + 1)
    if row.filter(Q(ignored_logged_at=None) | Q(ignored_logged_at__lt=now - LOG_EVERY)).update(ignored_logged_at=now):
        logger.warning(
            "The chat %d is not allowed: allow it in the admin, or add it to TELEGRAM_INTAKE_CHATS.", chat.telegram_id
        )


def set_membership(alias: ChatAlias, member: updates.Membership) -> None:
    """Stores what a `my_chat_member` update says, unless a later one was stored."""
    chat = alias.chat
    # The group that a supergroup was loses its members.
    is_late = chat.membership_at and member.at and member.at < chat.membership_at
    if is_late or alias.telegram_id != chat.telegram_id:
        return
    values = {"membership": member.status, "can_send": member.can_send, "is_admin": member.sees_all}
    # Sending resumes where the bot may send now. The update that tells of a ban comes after the 403 that told of it.
    if chat.pause_reason and member.can_send:
        values |= {"paused_until": None, "pause_reason": ""}
    Chat.objects.filter(pk=chat.pk).update(**values, membership_at=member.at)


@transaction.atomic
def migrate(bot_id: int, old: int, new: int) -> None:
    """
    Makes the group `old` and the supergroup `new` one chat; does nothing if neither is known or they are one already.

    Its cards are left behind in the group.
    """
    aliases = ChatAlias.objects.filter(bot_id=bot_id, telegram_id__in=(old, new))
    # In one order, so that the two signs of a migration do not deadlock
    locked = Chat.objects.select_for_update().filter(pk__in=aliases.values("chat")).order_by("pk")
    by_id = {chat.pk: chat for chat in locked}
    found = {alias.telegram_id: by_id[alias.chat_id] for alias in aliases}
    if not found and not {old, new} & configured():
        return
    chat = found.get(old) or found.get(new) or add(bot_id, old).chat
    other = found.get(new)
    if other == chat and old in found:
        return
    if other != chat:
        _move_to(chat, new, other)
    for telegram_id in (old, new):
        ChatAlias.objects.update_or_create(bot_id=bot_id, telegram_id=telegram_id, defaults={"chat": chat})


def _move_to(chat: Chat, new: int, other: Chat | None) -> None:
    """`other` is the row that the supergroup got before its origin was known."""
    cards = Card.objects.filter(chat=chat)
    card_states.leave_group(cards)
    values = {"telegram_id": new, "type": "supergroup", "membership": "", "can_send": True, "membership_at": None}
    if other:
        cards.filter(incident__in=other.cards.values("incident")).delete()
        other.cards.update(chat=chat)
        other.aliases.update(chat=chat)
        kept = ("title", "username", "membership", "can_send", "is_admin", "membership_at")
        values |= {name: getattr(other, name) for name in kept} | {"allowed": chat.allowed or other.allowed}
        other.delete()
    Chat.objects.filter(pk=chat.pk).update(**values)
    logger.info("The chat %d became the supergroup %d.", chat.telegram_id, new)
