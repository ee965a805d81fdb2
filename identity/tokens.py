"""Tokens that die with the password they were issued for, and with their user."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import Token

from core.database import get, on_live_connection
from identity.models import User

CLAIM = "password_changed_at"


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def issue[T: Token](kind: type[T], user: User) -> T:
    token = kind.for_user(user)
    token[CLAIM] = microseconds(user.password_changed_at)
    return token


def read_user(user_id: int) -> User | None:
    return get(User, user_id)


def user_of(token: Token, read: Callable[[int], User | None] = read_user) -> User:
    """The user that the token speaks for now, as `read` finds it by its id. Raises InvalidToken."""
    user_id: Any = token.get("user_id")
    if isinstance(user_id, str) and user_id.isdecimal() and len(user_id) < 19:
        user = on_live_connection(partial(read, int(user_id)))
        if user and user.is_active and token.get(CLAIM) == microseconds(user.password_changed_at):
            return user
    raise InvalidToken(_("Token is invalid"))
