from django.contrib import admin
from django.contrib.auth import admin as auth
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from identity.models import User


@admin.register(User)
class UserAdmin(auth.UserAdmin):
    list_display = ("username", "last_name", "first_name", "patronymic", "email", "is_active", "is_staff")
    readonly_fields = ("last_login", "date_joined", "password_changed_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "password_changed_at")}),
        (_("Personal info"), {"fields": ("last_name", "first_name", "patronymic", "email")}),
        *auth.UserAdmin.fieldsets[2:],  # type: ignore[index]
    )
    add_fieldsets = (
        *auth.UserAdmin.add_fieldsets,
        (None, {"fields": ("last_name", "first_name", "patronymic", "email")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Who is no superuser makes nobody one, and gives nobody rights, itself included."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields += ("is_staff", "is_superuser", "groups", "user_permissions")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser's password is a superuser's to set."""
        if obj and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_delete_permission(request, obj)
