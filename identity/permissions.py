from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission, DjangoModelPermissions
from rest_framework.request import Request

from identity.models import User
from identity.tokens import Bearer


def permissions_of(user: Any) -> QuerySet[Permission]:
    """Permissions of the user and of its groups, whether the user is active or not."""
    if user.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct()


def may_manage(actor: Any, user: User) -> bool:
    """Only superusers may change or delete a superuser."""
    return actor.is_superuser or not user.is_superuser


def holds_permissions_of(actor: Any, holder: User | Group) -> bool:
    """Returns whether a user has each permission of another user or of a group."""
    required = holder.permissions.all() if isinstance(holder, Group) else permissions_of(holder)
    return not required.exclude(pk__in=permissions_of(actor).values("pk")).exists()


class ModelPermissions(DjangoModelPermissions):
    """Requires Django's model permission for each method, reading included."""

    perms_map = DjangoModelPermissions.perms_map | {
        method: ["%(app_label)s.view_%(model_name)s"] for method in SAFE_METHODS
    }

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Raises PermissionDenied: for False the view would send 404, but this user may see superusers."""
        if request.method not in SAFE_METHODS and not may_manage(request.user, obj):
            raise PermissionDenied
        return True


class SelfOrModelPermissions(ModelPermissions):
    """Users may see and change themselves; other users require Django's permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_authenticated

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return obj == request.user or (
            super().has_permission(request, view) and super().has_object_permission(request, view, obj)
        )


class HasBearer(BasePermission):
    """The request has a token with a valid signature; its user may not have been checked yet."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Bearer)
