"""Tokens that die with the password they were issued for, and with their user."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import Token

from core.database import on_live_connection
from identity.models import User

CLAIM = "password_changed_at"


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def issue[T: Token](kind: type[T], user: User) -> T:
    token = kind.for_user(user)
    token[CLAIM] = microseconds(user.password_changed_at)
    return token


def user_of(token: Token) -> User:
    """The user that the token speaks for now. Raises InvalidToken."""
    user_id: Any = token.get("user_id")
    if isinstance(user_id, str) and user_id.isdecimal() and len(user_id) < 19:
        user = on_live_connection(User.objects.filter(pk=int(user_id), is_active=True).first)
        if user and token.get(CLAIM) == microseconds(user.password_changed_at):
            return user
    raise InvalidToken(_("Token is invalid"))
