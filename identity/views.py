from functools import partial
from typing import Any, cast

from django.db import transaction
from djoser.views import UserViewSet as DjoserUserViewSet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views as simplejwt
from rest_framework_simplejwt.exceptions import InvalidToken

from core.db.postgresql import is_unavailable
from identity import examples
from identity.authentication import JWTAuthentication
from identity.models import User
from identity.permissions import HasBearer
from identity.serializers import TokenObtainSerializer
from identity.superusers import LAST_SUPERUSER, lock_active_superusers
from identity.tokens import Bearer


@extend_schema(
    auth=[],
    summary="Log in",
    description="Name and password give an access token, sent as `Authorization: Bearer …`, and a refresh token.",
    examples=examples.LOG_IN,
)
class TokenObtainView(simplejwt.TokenObtainPairView):
    raises = {
        "post": (
            partial(
                AuthenticationFailed,
                TokenObtainSerializer.default_error_messages["no_active_account"],
                "no_active_account",
            ),
            Throttled,
        )
    }


@extend_schema(
    auth=[],
    summary="Get a new access token",
    description="The refresh token stays valid until it expires, the password changes or the user is deactivated.",
    examples=examples.RENEW,
)
class TokenRefreshView(simplejwt.TokenRefreshView):
    raises = {"post": (InvalidToken,)}


@extend_schema(
    auth=[],
    summary="Check a token",
    description="200 for an access or a refresh token that is valid, 401 for any other.",
    responses={200: {"type": "object", "maxProperties": 0}},
    examples=examples.VERIFY,
)
class TokenVerifyView(simplejwt.TokenVerifyView):
    raises = {"post": (InvalidToken,)}


def described(summary: str, description: str, *examples: OpenApiExample) -> Any:
    return extend_schema(summary=summary, description=description, examples=[*examples])


@extend_schema_view(
    list=described("List users", "Requires Django's permission to view users.", examples.USERS),
    create=described(
        "Create a user", "Requires Django's permission to add users. There is no registration.", *examples.CREATE_USER
    ),
    retrieve=described("Read a user", "Another user than yourself requires the permission to view.", examples.USER),
    update=described(
        "Replace a user's details", "Another user requires the permission to change.", *examples.CHANGE_USER
    ),
    partial_update=described(
        "Change a user's details", "Another user requires the permission to change.", *examples.CHANGE_USER
    ),
    destroy=described(
        "Delete a user",
        "Requires the permission to delete users. Your password is asked for if the user is yourself. The last active "
        "superuser cannot be deleted.",
        *examples.DELETE_YOURSELF,
    ),
)
class UserViewSet(DjoserUserViewSet):
    """Users see and edit themselves; everything else requires Django's permission."""

    queryset = User.objects.order_by("id")
    raises = dict.fromkeys(("create", "list", "update", "partial_update"), (PermissionDenied,)) | {
        "set_password": (Throttled,),
        "destroy": (PermissionDenied, Throttled),
    }

    def permission_denied(self, request: Request, **kwargs: Any) -> None:
        if request.user.is_authenticated and self.action in ("retrieve", "update", "partial_update"):
            raise NotFound  # 403 would reveal which ids exist
        super(DjoserUserViewSet, self).permission_denied(request, **kwargs)

    @extend_schema(
        summary="Change your password",
        description="All your tokens stop working: log in again.",
        responses={204: None},
        examples=examples.SET_PASSWORD,
    )
    def set_password(self, request: Request) -> Response:
        """Unlike djoser, saves only the password, so that a concurrent deactivation is not overwritten."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user: Any = request.user
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Raises PermissionDenied for the last active superuser."""
        user = self.get_object()
        if user == request.user:
            self.get_serializer(data=request.data).is_valid(raise_exception=True)
        with transaction.atomic():
            if lock_active_superusers() == [user]:
                raise PermissionDenied(LAST_SUPERUSER)
            user.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_queryset(self) -> Any:
        return self.queryset.all()


@extend_schema_view(
    retrieve=described("Read your own details", "Those of the user that the token belongs to.", examples.USER),
    update=described("Replace your own details", "The username stays as it is.", *examples.CHANGE_USER),
    partial_update=described("Change your own details", "The username stays as it is.", *examples.CHANGE_USER),
    destroy=described(
        "Delete yourself",
        "Requires the permission to delete users. The last active superuser cannot be deleted.",
        *examples.DELETE_YOURSELF,
    ),
)
class CurrentUserViewSet(UserViewSet):
    """`users/me/`; djoser's action for it does not support HEAD."""

    raises = {"destroy": UserViewSet.raises["destroy"]}

    def get_object(self) -> Any:
        return self.request.user


class CheckedBearerView(APIView):
    """
    Base of views whose own statement checks the token (by Bearer.fetch, or by a service that gets the actor).

    Closed by default: a response without a check is a 500, and after an exception the check is made first, so that a
    revoked token gets 401, never 400 or 404.
    """

    permission_classes = (HasBearer,)
    authenticator = JWTAuthentication(deferred=True)  # it has no state

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [self.authenticator]

    @property
    def bearer(self) -> Bearer:
        return cast(Bearer, self.request.auth)  # by HasBearer

    def handle_exception(self, exc: Exception) -> Response:
        # The check of a database that is down would only time out again.
        if isinstance(self.request.auth, Bearer) and not is_unavailable(exc):
            try:
                self.bearer.check()
            except Exception as failure:
                exc = failure
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        unchecked = isinstance(request.auth, Bearer) and request.auth.username is None
        if unchecked and response.status_code not in (401, 503):
            raise RuntimeError(f"{type(self).__name__} sent a response without checking its bearer")
        return super().finalize_response(request, response, *args, **kwargs)
