"""Telegram accounts of users: tied by a one-time code that the user sends to the bot in private."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from identity.models import User
from incidents.actors import Named
from telegram.models import Account, LinkCode
from telegram.reports import Author

LIFETIME = timedelta(hours=1)


def new_code(user: User) -> str:
    """A code for `/start CODE`; the user's earlier one stops working."""
    code = secrets.token_urlsafe(16)
    values = {"code_hash": _hash(code), "expires_at": timezone.now() + LIFETIME}
    LinkCode.objects.update_or_create(user=user, defaults=values)
    return code


@transaction.atomic
def tie(code: str, author: Author | None) -> User | None:
    """The user whose code it is, now with the author's account; None for a wrong code or an account of many people."""
    found = LinkCode.objects.select_for_update().filter(
        code_hash=_hash(code), expires_at__gt=timezone.now(), user__is_active=True
    )
    link = found.first()
    if link is None or author is None or author.user_id is None:
        return None
    Account.objects.update_or_create(telegram_id=author.user_id, defaults={"user": link.user})
    link.delete()
    return link.user


def actor_of(author: Author) -> Named:
    """The active user that the author's account is tied to, else the author's name in Telegram."""
    tied = Account.objects.filter(telegram_id=author.user_id, user__is_active=True) if author.user_id else None
    username = tied.values_list("user__username", flat=True).first() if tied is not None else None
    return Named(username or author.name)


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
