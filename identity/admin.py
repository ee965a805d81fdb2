from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from identity.forms import SettingsForm
from identity.models import USERNAME_TAKEN, User
from identity.permissions import holds_permissions_of, may_manage, permissions_of
from identity.time_zones import TimeZoneInput


@admin.register(User)
class UserAdmin(auth.UserAdmin):
    list_display = ("username", "last_name", "first_name", "patronymic", "email", "is_active", "is_staff")
    readonly_fields = ("last_login", "date_joined", "password_changed_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "password_changed_at")}),
        (_("Personal info"), {"fields": ("last_name", "first_name", "patronymic", "email")}),
        *auth.UserAdmin.fieldsets[2:],  # type: ignore[index]
        (_("Settings"), {"fields": ("time_zone",)}),
    )
    add_fieldsets = (
        *auth.UserAdmin.add_fieldsets,
        (None, {"fields": ("last_name", "first_name", "patronymic", "email")}),
    )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:  # a concurrent request took the username after the form was validated
            self.message_user(request, USERNAME_TAKEN, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only superusers grant staff and superuser status, groups and permissions."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields += ("is_staff", "is_superuser", "groups", "user_permissions")
        return fields

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            kwargs["widget"] = TimeZoneInput
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or may_manage(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or may_manage(request.user, obj))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.settings_view)
        return [path("settings/", view, name="identity_user_settings"), *super().get_urls()]

    def settings_view(self, request: HttpRequest) -> HttpResponse:
        """What each user of the admin may set for themselves, whatever their permissions."""
        user = User.objects.get(username=request.user.get_username())
        form = SettingsForm(request.POST or None, instance=user)
        if form.is_valid():
            user.save(update_fields=form.fields)
            self.message_user(request, _("Your settings were saved."), messages.SUCCESS)
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": _("My settings"),
            "adminform": AdminForm(form, [(None, {"fields": list(form.fields)})], {}),
        }
        return TemplateResponse(request, "admin/identity/user/settings.html", context)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Raises PermissionDenied if the user has permissions that the editor lacks and could log in to use."""
        user = self.get_object(request, id)
        if user and not holds_permissions_of(request.user, user):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(auth.GroupAdmin):
    """Users edit only groups all of whose permissions they have, and add only permissions that they have."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or holds_permissions_of(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or holds_permissions_of(request.user, obj))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if request and db_field.name == "permissions":
            kwargs["queryset"] = permissions_of(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)
