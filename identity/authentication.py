from functools import lru_cache

from django.db.models import Model
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.request import Request
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken, Token
from rest_framework_simplejwt.utils import aware_utcnow

from core.database import get_both
from core.logging import request_context
from identity.models import User
from identity.tokens import read_user, user_of


@lru_cache(maxsize=1024)
def verified(raw_token: bytes) -> AccessToken:
    """A token whose signature held once holds for good; its expiry and its user do not. Raises TokenError."""
    return AccessToken(raw_token)


class JWTAuthentication(authentication.JWTAuthentication):
    def __init__(self, also: tuple[type[Model], int] | None = None) -> None:
        """`also`: a row that is read in the same round trip as the user, into `found`."""
        self.also = also
        self.found: Model | None = None

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Raises InvalidToken, for a malformed header too."""
        try:
            authenticated = super().authenticate(request)
        except AuthenticationFailed as exc:
            raise InvalidToken(exc.detail["detail"]) from None
        if authenticated and (context := request_context.get()):
            context.user = authenticated[0].get_username()
        return authenticated

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            token = verified(raw_token)
            token.check_exp(current_time=aware_utcnow())
        except TokenError:
            return super().get_validated_token(raw_token)  # which says what is wrong
        return token

    def get_user(self, validated_token: Token) -> User:
        return user_of(validated_token, self._read)

    def _read(self, user_id: int) -> User | None:
        if self.also is None:
            return read_user(user_id)
        user, self.found = get_both(User, user_id, *self.also)
        return user


class JWTScheme(SimpleJWTScheme):
    target_class = JWTAuthentication
