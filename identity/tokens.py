"""JWTs, revoked when their user is deactivated or deleted or changes the password."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import ExpiredTokenError, InvalidToken, TokenError
from rest_framework_simplejwt.tokens import Token

from core.api.paths import ID_PATTERN
from core.db.postgresql import fetch
from core.log.context import set_user
from identity.models import User

CLAIM = "password_changed_at"  # microseconds since 1970
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# RFC 7519, section 4.1. PyJWT and simplejwt do not check these types, and crash on others.
CLAIM_TYPES = {"exp": int, "iat": int, "nbf": int, "iss": str, "sub": str}


def issue[T: Token](kind: type[T], user: User) -> T:
    token = kind.for_user(user)
    token[CLAIM] = (user.password_changed_at - EPOCH) // MICROSECOND
    return token


def decode[T: Token](kind: type[T], raw_token: Any) -> T:
    """
    Returns a token with verified signature, type and expiry; its user is not checked. Raises TokenError.

    simplejwt's LEEWAY allows for clock skew in `iat` and `nbf`; it does not extend `exp`.
    """
    try:
        token = kind(raw_token)
        expired = token["exp"] <= time()
    except TokenError:
        raise
    except (ArithmeticError, AttributeError, OSError, RecursionError, TypeError, ValueError):
        # PyJWT and simplejwt compare and convert claims of any type.
        raise TokenError(_("Token is invalid")) from None
    if any(type(value) is not CLAIM_TYPES.get(name, type(value)) for name, value in token.payload.items()):
        raise TokenError(_("Token is invalid"))
    if expired:
        raise ExpiredTokenError(_("Token is expired"))
    return token


class Bearer:
    """
    The claims of a token whose signature is valid but whose user has not been checked.

    It must be checked before anything is revealed or written. On PostgreSQL the check is part of the view's own
    statement, which saves a round trip: `fetch` wraps a SELECT; `sql`, `params` and `accept` are for writes.
    """

    sql = """
    SELECT username FROM identity_user
    WHERE id = %(bearer_id)s AND is_active AND password_changed_at = %(bearer_password_changed_at)s
    """

    def __init__(self, claims: Mapping[str, Any]) -> None:
        """Raises InvalidToken."""
        user_id, password_changed_at = claims.get("user_id"), claims.get(CLAIM)
        if (
            not isinstance(user_id, str)
            or not re.fullmatch(ID_PATTERN, user_id)
            or type(password_changed_at) is not int
        ):
            raise self.invalid()
        try:
            self.password_changed_at = EPOCH + password_changed_at * MICROSECOND
        except OverflowError:
            raise self.invalid() from None
        self.user_id = int(user_id)
        self.username: str | None = None  # until the token has been checked

    @property
    def params(self) -> Mapping[str, Any]:
        return {"bearer_id": self.user_id, "bearer_password_changed_at": self.password_changed_at}

    def accept(self, username: str | None) -> str:
        """Marks the token as checked, by the username that a statement returned. Raises InvalidToken for None."""
        if username is None:
            raise self.invalid()
        set_user(username)
        self.username = username
        return username

    def check(self) -> str:
        """Returns the username; checks the token by a query of its own unless it is checked. Raises InvalidToken."""
        return self.username or self.user().get_username()

    def user(self) -> User:
        """Raises InvalidToken."""
        users = User.objects.filter(pk=self.user_id, is_active=True, password_changed_at=self.password_changed_at)
        user = users.first()
        if user is None:
            raise self.invalid()
        self.accept(user.get_username())
        return user

    def fetch(self, sql: str, params: Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]:
        """
        Returns the rows of a SELECT, which also checks the token if necessary. PostgreSQL only. Raises InvalidToken.

        The first column of `sql` must not be NULL.
        """
        if self.username is not None:
            return fetch(sql, params, prepare=prepare)
        rows = fetch(
            f"SELECT bearer.username, found.* FROM ({self.sql}) AS bearer LEFT JOIN LATERAL ({sql}) AS found ON true",  # noqa: S608
            {**params, **self.params},
            prepare=prepare,
        )
        self.accept(rows[0][0] if rows else None)
        return [row[1:] for row in rows if row[1] is not None]

    @staticmethod
    def invalid() -> InvalidToken:
        return InvalidToken(_("Token is invalid"))
