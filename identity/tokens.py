"""Tokens that die with the password they were issued for, and with their user."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.tokens import Token

from core.db.postgresql import DOWN, fetch
from core.log.context import set_user
from identity.models import User

CLAIM = "password_changed_at"  # microseconds since 1970
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def issue[T: Token](kind: type[T], user: User) -> T:
    token = kind.for_user(user)
    token[CLAIM] = (user.password_changed_at - EPOCH) // MICROSECOND
    return token


class Bearer:
    """
    Whom a token speaks for by its own word: before anything else is told or done, the database must confirm it.

    On PostgreSQL a statement that reads or writes confirms it in passing, from a row of CONFIRMED or from none.
    """

    CONFIRMED = """
    SELECT username FROM identity_user
    WHERE id = %(user_id)s AND is_active AND password_changed_at = %(password_changed_at)s
    """
    is_authenticated = True

    def __init__(self, token: Token) -> None:
        """Raises InvalidToken."""
        user_id: Any = token.get("user_id")
        try:
            self.password_changed_at = EPOCH + token[CLAIM] * MICROSECOND
        except (KeyError, TypeError, OverflowError):
            raise self.invalid() from None
        if not isinstance(user_id, str) or not user_id.isdecimal() or len(user_id) > 18:
            raise self.invalid()
        self.user_id = int(user_id)

    def user(self) -> User:
        """Raises InvalidToken."""
        user = User.objects.filter(
            pk=self.user_id, is_active=True, password_changed_at=self.password_changed_at
        ).first()
        if user is None:
            raise self.invalid()
        set_user(user.get_username())
        return user

    def confirm(self) -> str:
        """The username. Raises InvalidToken."""
        if connection.vendor != "postgresql":
            return self.user().get_username()
        return self.confirmed(fetch(self.CONFIRMED, self.claims))[0]

    def confirm_and_get[M: Model](self, model: type[M], pk: int) -> tuple[str, M | None]:
        """The username, and the row with that primary key, in one round trip. Raises InvalidToken."""
        if connection.vendor != "postgresql":
            return self.confirm(), model._base_manager.filter(pk=pk).first()
        table, names = model._meta.db_table, [field.attname for field in model._meta.concrete_fields]
        columns = f"username, {table}.{f', {table}.'.join(names)}"
        sql = f"SELECT {columns} FROM ({self.CONFIRMED}) AS bearer LEFT JOIN {table} ON {table}.id = %(pk)s"  # noqa: S608
        username, *values = self.confirmed(fetch(sql, self.claims | {"pk": pk}))
        if values[0] is None:
            return username, None
        values = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in values]
        return username, model.from_db(connection.alias, names, values)

    @contextmanager
    def confirmed_first(self) -> Iterator[None]:
        """For a block whose statement confirms the bearer: whoever is nobody hears of no other mistake."""
        try:
            yield
        except DOWN:  # and would be a second time, after as long a wait
            raise
        except Exception:
            self.confirm()
            raise

    def confirmed(self, rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """The first row of a statement that confirms its bearer, whose rows begin with the username or NULL."""
        if not rows or rows[0][0] is None:
            raise self.invalid()
        set_user(rows[0][0])
        return rows[0]

    @property
    def claims(self) -> dict[str, Any]:
        """The parameters of CONFIRMED."""
        return {"user_id": self.user_id, "password_changed_at": self.password_changed_at}

    @staticmethod
    def invalid() -> InvalidToken:
        return InvalidToken(_("Token is invalid"))
