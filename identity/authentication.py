from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.request import Request
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.tokens import Token

from core.logging import request_context
from identity.models import User
from identity.tokens import user_of


class JWTAuthentication(authentication.JWTAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Raises InvalidToken, for a malformed header too."""
        try:
            authenticated = super().authenticate(request)
        except AuthenticationFailed as exc:
            raise InvalidToken(exc.detail["detail"]) from None
        if authenticated and (context := request_context.get()):
            context.user = authenticated[0].get_username()
        return authenticated

    def get_user(self, validated_token: Token) -> User:
        return user_of(validated_token)


class JWTScheme(SimpleJWTScheme):
    target_class = JWTAuthentication
