from functools import lru_cache
from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.request import Request
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken, Token
from rest_framework_simplejwt.utils import aware_utcnow

from identity.tokens import Bearer


@lru_cache(maxsize=1024)
def verified(raw_token: bytes) -> AccessToken:
    """A token whose signature held once holds for good; its expiry and its user do not. Raises TokenError."""
    return AccessToken(raw_token)


class JWTAuthentication(authentication.JWTAuthentication):
    def __init__(self, *, confirmed: bool = True) -> None:
        """`confirmed` is False where the view has its bearer confirmed by what it reads or writes."""
        super().__init__()
        self.confirmed = confirmed

    def authenticate(self, request: Request) -> tuple[Any, Token] | None:
        """Raises InvalidToken, for a malformed header too."""
        try:
            return super().authenticate(request)
        except AuthenticationFailed as exc:
            raise InvalidToken(exc.detail["detail"]) from None

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            token = verified(raw_token)
            token.check_exp(current_time=aware_utcnow())
        except TokenError:
            return super().get_validated_token(raw_token)  # which says what is wrong
        return token

    def get_user(self, validated_token: Token) -> Any:
        bearer = Bearer(validated_token)
        return bearer.user() if self.confirmed else bearer


class JWTScheme(SimpleJWTScheme):
    target_class = JWTAuthentication
