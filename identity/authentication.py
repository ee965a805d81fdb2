from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from time import time
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken

from core.log.context import set_user
from identity.tokens import Bearer, decode


@lru_cache(maxsize=1024)
def verified_claims(raw_token: bytes) -> Mapping[str, Any]:
    """Cached, since a valid signature stays valid; expiry and user are checked by the caller. Raises TokenError."""
    return MappingProxyType(decode(AccessToken, raw_token).payload)


class JWTAuthentication(authentication.JWTAuthentication):
    """
    `request.user` is the token's user, checked in the database; `request.auth` is the Bearer.

    `deferred` is only for CheckedBearerView: what the view calls checks the token, and `request.user` is anonymous.
    """

    def __init__(self, *, deferred: bool = False) -> None:
        super().__init__()
        self.deferred = deferred

    def authenticate(self, request: Request) -> tuple[Any, Bearer] | None:
        """Raises InvalidToken, for a malformed header too."""
        header = self.get_header(request)
        try:
            raw_token = None if header is None else self.get_raw_token(header)
            if raw_token is None:
                return None
            claims = verified_claims(raw_token)
            if claims["exp"] <= time():
                raise TokenError(_("Token is expired"))
        except AuthenticationFailed as exc:
            raise InvalidToken(exc.detail["detail"]) from None
        except TokenError as exc:
            raise InvalidToken(exc.args[0]) from None
        bearer = Bearer(claims)
        return (AnonymousUser() if self.deferred else bearer.user()), bearer

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Finds the token whatever the case of the scheme: RFC 9110, section 11.1."""
        scheme, _space, rest = header.partition(b" ")
        return super().get_raw_token(b"Bearer " + rest if scheme.lower() == b"bearer" else header)


class AdminSession(BaseAuthentication):
    """Who is logged in to the admin and has the permission: for reading what its pages embed and link to."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if not (key.isascii() and key.isalnum()):  # PostgreSQL would raise an error for a NUL in it.
            return None
        http_request = request._request
        http_request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        user = get_user(http_request)
        if not (user.is_staff and user.has_perm(self.permission)):
            return None
        set_user(user.get_username())
        return user, None


class JWTScheme(SimpleJWTScheme):
    target_class = JWTAuthentication

    def get_security_definition(self, auto_schema: Any) -> Any:
        return super().get_security_definition(auto_schema) | {
            "description": "For users: the access token that logging in gives."
        }
