from typing import Any, cast

from djoser.views import UserViewSet as DjoserUserViewSet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views as simplejwt

from core.db.postgresql import is_unavailable
from identity.authentication import JWTAuthentication
from identity.models import User
from identity.permissions import HasBearer
from identity.tokens import Bearer

THROTTLED = "429 throttled"
INVALID_TOKEN = "401 token_not_valid"  # noqa: S105


@extend_schema(auth=[], summary="Log in")
class TokenObtainView(simplejwt.TokenObtainPairView):
    raises = {"post": ("401 no_active_account", THROTTLED)}


@extend_schema(auth=[], summary="Get a new access token")
class TokenRefreshView(simplejwt.TokenRefreshView):
    raises = {"post": (INVALID_TOKEN,)}


@extend_schema(auth=[], summary="Check a token", responses={200: {"type": "object", "maxProperties": 0}})
class TokenVerifyView(simplejwt.TokenVerifyView):
    raises = {"post": (INVALID_TOKEN,)}


class UserViewSet(DjoserUserViewSet):
    """Users see and edit themselves; everything else requires Django's permission."""

    queryset = User.objects.order_by("id")
    raises = dict.fromkeys(("create", "list", "update", "partial_update", "destroy"), ("403 permission_denied",)) | {
        "set_password": (THROTTLED,)
    }

    def permission_denied(self, request: Request, **kwargs: Any) -> None:
        if request.user.is_authenticated and self.action in ("retrieve", "update", "partial_update"):
            raise NotFound  # 403 would reveal which ids exist
        super(DjoserUserViewSet, self).permission_denied(request, **kwargs)

    @extend_schema(responses={204: None})
    def set_password(self, request: Request) -> Response:
        """Unlike djoser, saves only the password, so that a concurrent deactivation is not overwritten."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user: Any = request.user
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_queryset(self) -> Any:
        return self.queryset.all()


class CurrentUserViewSet(UserViewSet):
    """`users/me/`; djoser's action for it does not support HEAD."""

    def get_object(self) -> Any:
        return self.request.user


class CheckedBearerView(APIView):
    """
    Base of views whose own statement checks the token (by Bearer.fetch, or by a service that gets the actor).

    Closed by default: a response without a check is a 500, and after an exception the check is made first, so that a
    revoked token gets 401, never 400 or 404.
    """

    permission_classes = (HasBearer,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [JWTAuthentication(deferred=True)]

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
