from typing import Any

from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request

from identity.tokens import Bearer


class ModelPermissions(DjangoModelPermissions):
    """Django's permission for each operation, reading included."""

    perms_map = DjangoModelPermissions.perms_map | {"GET": ["%(app_label)s.view_%(model_name)s"]}


class SelfOrModelPermissions(ModelPermissions):
    """Everybody for itself; others by Django's permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_authenticated

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return obj == request.user or super().has_permission(request, view)


class HasBearer(BasePermission):
    """A token was sent; its user may be unchecked."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Bearer)
