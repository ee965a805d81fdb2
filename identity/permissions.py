from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission, DjangoModelPermissions
from rest_framework.request import Request

from identity.models import User
from identity.tokens import Bearer


def permissions_of(user: Any) -> QuerySet[Permission]:
    """The permissions that a user would have if it were active, its groups' included."""
    if user.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(user=user) | Q(group__user=user)).distinct()


def may_manage(actor: Any, user: User) -> bool:
    """Only superusers may change or delete a superuser."""
    return actor.is_superuser or not user.is_superuser


def holds_permissions_of(actor: Any, holder: User | Group) -> bool:
    """Whether a user has each permission of another user or of a group."""
    theirs = holder.permissions.all() if isinstance(holder, Group) else permissions_of(holder)
    return not theirs.exclude(pk__in=permissions_of(actor).values("pk")).exists()


class ModelPermissions(DjangoModelPermissions):
    """Django's permission for each operation, reading included."""

    perms_map = DjangoModelPermissions.perms_map | {
        method: ["%(app_label)s.view_%(model_name)s"] for method in SAFE_METHODS
    }

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Raises PermissionDenied: the view would turn False into 404, but this user may know of the superuser."""
        if request.method not in SAFE_METHODS and not may_manage(request.user, obj):
            raise PermissionDenied
        return True


class SelfOrModelPermissions(ModelPermissions):
    """Users see and change themselves; for other users Django's permission is required."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_authenticated

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return obj == request.user or (
            super().has_permission(request, view) and super().has_object_permission(request, view, obj)
        )


class HasBearer(BasePermission):
    """A token was sent; its user may be unchecked."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Bearer)
