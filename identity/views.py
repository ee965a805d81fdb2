from typing import Any

from djoser.views import UserViewSet as DjoserUserViewSet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt import views as simplejwt

from identity.models import User

THROTTLED = "429 throttled"
DEAD_TOKEN = "401 token_not_valid"  # noqa: S105


@extend_schema(auth=[], summary="Log in")
class TokenObtainView(simplejwt.TokenObtainPairView):
    raises = {"post": ("401 no_active_account", THROTTLED)}


@extend_schema(auth=[], summary="Get a new access token")
class TokenRefreshView(simplejwt.TokenRefreshView):
    raises = {"post": (DEAD_TOKEN,)}


@extend_schema(auth=[], summary="Is this token alive?")
class TokenVerifyView(simplejwt.TokenVerifyView):
    raises = {"post": (DEAD_TOKEN,)}


class UserViewSet(DjoserUserViewSet):
    """Users see and edit themselves; the rest is for who has Django's permission."""

    queryset = User.objects.order_by("id")
    raises = dict.fromkeys(("create", "list", "update", "partial_update", "destroy"), ("403 permission_denied",)) | {
        "set_password": (THROTTLED,)
    }

    def permission_denied(self, request: Request, **kwargs: Any) -> None:
        if request.user.is_authenticated and self.action in ("retrieve", "update", "partial_update"):
            raise NotFound  # nobody learns which ids are taken
        super(DjoserUserViewSet, self).permission_denied(request, **kwargs)

    def set_password(self, request: Request) -> Response:
        """As djoser does it, but only the password is written: a deactivation in the meantime stays."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user: Any = request.user
        user.set_password(serializer.validated_data["new_password"])
        user.save(update_fields=["password"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_queryset(self) -> Any:
        return self.queryset.all()


class CurrentUserViewSet(UserViewSet):
    """`users/me/`: djoser's own action for it has no HEAD."""

    def get_object(self) -> Any:
        return self.request.user
