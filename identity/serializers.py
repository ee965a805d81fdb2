from typing import Any

from djoser import serializers as djoser
from rest_framework_simplejwt import serializers as simplejwt
from rest_framework_simplejwt.tokens import RefreshToken, Token, UntypedToken

from identity.models import User
from identity.throttling import throttle
from identity.tokens import Bearer, issue


class TokenObtainSerializer(simplejwt.TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: User) -> Token:
        return issue(RefreshToken, user)


class TokenRefreshSerializer(simplejwt.TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = RefreshToken(attrs["refresh"])
        Bearer(refresh).user()
        return {"access": str(refresh.access_token)}


class TokenVerifySerializer(simplejwt.TokenVerifySerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        Bearer(UntypedToken(attrs["token"])).user()
        return {}


FIELDS = ("id", "username", "email", "first_name", "last_name", "patronymic")


class UserSerializer(djoser.UserSerializer):
    class Meta(djoser.UserSerializer.Meta):
        fields = FIELDS

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        """Writes only what was sent: a deactivation in the meantime stays."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=validated_data)
        return instance


class UserCreateSerializer(djoser.UserCreateSerializer):
    class Meta(djoser.UserCreateSerializer.Meta):
        fields = (*FIELDS, "password")


class SetPasswordSerializer(djoser.SetPasswordSerializer):
    def validate_current_password(self, value: str) -> str:
        """Raises ValidationError and Throttled."""
        request = self.context["request"]
        if not throttle(request, request.user.get_username(), lambda: request.user.check_password(value)):
            self.fail("invalid_password")
        return value
