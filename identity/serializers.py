from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core import exceptions
from django.db import IntegrityError, models
from djoser import serializers as djoser
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty, get_error_detail
from rest_framework_simplejwt import serializers as simplejwt
from rest_framework_simplejwt.tokens import RefreshToken, Token, UntypedToken

from identity.models import USERNAME_TAKEN, User
from identity.passwords import MAX_LENGTH
from identity.throttling import throttle
from identity.tokens import Bearer, decode, issue
from identity.usernames import username_key


class PasswordField(simplejwt.PasswordField):
    """Keeps a password as typed, leading and trailing spaces included."""

    def __init__(self) -> None:
        super().__init__(trim_whitespace=False, max_length=MAX_LENGTH)


class TokenObtainSerializer(simplejwt.TokenObtainPairSerializer):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = PasswordField()

    @classmethod
    def get_token(cls, user: User) -> Token:
        return issue(RefreshToken, user)


class TokenRefreshSerializer(simplejwt.TokenRefreshSerializer):
    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = decode(RefreshToken, attrs["refresh"])
        Bearer(refresh.payload).check()
        return {"access": str(refresh.access_token)}


class TokenVerifySerializer(simplejwt.TokenVerifySerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        Bearer(decode(UntypedToken, attrs["token"]).payload).check()
        return {}


FIELDS = ("id", "username", "email", "first_name", "last_name", "patronymic")


class EmailField(serializers.EmailField):
    def run_validation(self, data: Any = empty) -> Any:
        """Leaves an unchanged address as it is: the command line takes others."""
        instance = getattr(self.parent, "instance", None)
        if instance is not None and data == self.get_attribute(instance):
            return data
        return super().run_validation(data)


class UserFields:
    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.EmailField: EmailField}


class UserSerializer(UserFields, djoser.UserSerializer):
    class Meta(djoser.UserSerializer.Meta):
        fields = FIELDS

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        """Saves only the fields that were sent, so that a concurrent deactivation is not overwritten."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=validated_data)
        return instance


class UserCreateSerializer(UserFields, djoser.UserCreateSerializer):
    password = PasswordField()

    class Meta(djoser.UserCreateSerializer.Meta):
        fields = (*FIELDS, "password")

    def validate_username(self, value: str) -> str:
        """Raises ValidationError."""
        if User.objects.filter(username_key=username_key(value)).exists():
            raise ValidationError(USERNAME_TAKEN, code="unique")
        return value

    def create(self, validated_data: dict[str, Any]) -> User:
        """Raises ValidationError if a concurrent request took the username after the check."""
        try:
            return self.perform_create(validated_data)
        except IntegrityError:
            raise ValidationError({"username": [USERNAME_TAKEN]}, code="unique") from None


class CurrentPasswordSerializer(djoser.CurrentPasswordSerializer):
    current_password = PasswordField()

    def validate_current_password(self, value: str) -> str:
        """Raises ValidationError and Throttled."""
        request = self.context["request"]
        if not throttle(request, request.user.get_username(), lambda: request.user.check_password(value)):
            self.fail("invalid_password")
        return value


class SetPasswordSerializer(CurrentPasswordSerializer):
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Raises ValidationError with the code of each rule that failed; djoser would call each of them `invalid`."""
        try:
            validate_password(attrs["new_password"], self.context["request"].user)
        except exceptions.ValidationError as exc:
            raise ValidationError({"new_password": get_error_detail(exc)}) from None
        return attrs
