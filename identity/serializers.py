from typing import Any

from djoser import serializers as djoser
from rest_framework_simplejwt import serializers as simplejwt
from rest_framework_simplejwt.tokens import RefreshToken, Token, UntypedToken

from identity.models import User
from identity.tokens import Bearer, decode, issue


class TokenObtainSerializer(simplejwt.TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: User) -> Token:
        return issue(RefreshToken, user)


class TokenRefreshSerializer(simplejwt.TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = decode(RefreshToken, attrs["refresh"])
        Bearer(refresh.payload).check()
        return {"access": str(refresh.access_token)}


class TokenVerifySerializer(simplejwt.TokenVerifySerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        Bearer(decode(UntypedToken, attrs["token"]).payload).check()
        return {}


FIELDS = ("id", "username", "email", "first_name", "last_name", "patronymic")


class UserSerializer(djoser.UserSerializer):
    class Meta(djoser.UserSerializer.Meta):
        fields = FIELDS


class UserCreateSerializer(djoser.UserCreateSerializer):
    class Meta(djoser.UserCreateSerializer.Meta):
        fields = (*FIELDS, "password")
