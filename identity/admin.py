from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.admin import GuardedAdmin
from identity.forms import SettingsForm, UserForm, UserPasswordForm
from identity.models import USERNAME_TAKEN, User
from identity.permissions import holds_permissions_of, may_manage, permissions_of
from identity.superusers import lock_active_superusers
from identity.time_zones import TimeZoneInput

NAMES: Any = (None, {"fields": ("last_name", "first_name", "patronymic", "email")})
SUPERUSERS_ONLY = ("is_staff", "is_superuser", "groups", "user_permissions")


class Section(NamedTuple):
    """What another app shows on the page of a user: a fieldset, and a button above the form."""

    title: str
    fields: tuple[Callable[[User], str], ...]
    button: Any  # its label, a lazy translation
    url: URLPattern  # where the button posts, with the user's `pk`


# The admin modules of the apps above append theirs.
sections: list[Section] = []


@admin.register(User)
class UserAdmin(GuardedAdmin, auth.UserAdmin):
    """Rights come from groups. Users are deactivated, never deleted: their names stay in the incidents' history."""

    form = UserForm
    change_password_form = UserPasswordForm
    list_display = ("username", "last_name", "first_name", "patronymic", "is_active", "last_login")
    phone_hidden = ("last_name", "first_name", "patronymic", "last_login")
    show_facets = admin.ShowFacets.NEVER
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("username", "last_name", "first_name", "patronymic", "email")
    readonly_fields = ("last_login", "date_joined", "password_changed_at")
    filter_horizontal = ()
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", "password")}),
        NAMES,
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Settings"), {"fields": ("language", "time_zone")}),
        (_("Important dates"), {"fields": ("last_login", "password_changed_at", "date_joined")}),
    )
    add_fieldsets = (*auth.UserAdmin.add_fieldsets, NAMES)
    actions = ("deactivate",)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Leaves out the user's own permissions, unless there are some that a superuser may want to revoke."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        if obj:
            fieldsets = [*fieldsets, *((section.title, {"fields": section.fields}) for section in sections)]
        if obj and request.user.is_superuser and obj.user_permissions.exists():
            own = (
                _("Permissions beside those of the groups"),
                {"fields": ("user_permissions",), "classes": ("collapse",)},
            )
            return [*fieldsets, own]
        return fieldsets

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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locks the superusers before the user: all lock in one order."""
        if transaction.get_connection().in_atomic_block:
            lock_active_superusers()
        return super().get_object(request, object_id, from_field)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return super().render_change_form(request, {**context, "sections": sections}, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Saves only what was changed: the key of an unchanged username stays as it is, too."""
        fields = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=fields.intersection(form.changed_data) if change else None)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[Any, ...]:
        """Lets only superusers grant staff and superuser status, groups and permissions."""
        fields = (
            *super().get_readonly_fields(request, obj),
            *(field for section in sections for field in section.fields),
        )
        return fields if request.user.is_superuser else (*fields, *SUPERUSERS_ONLY)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            kwargs["widget"] = TimeZoneInput
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "groups" and field:
            field.widget.can_add_related = False
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = forms.CheckboxSelectMultiple
        if db_field.name == "user_permissions":
            kwargs |= {"form_class": PermissionsField, "widget": forms.CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or may_manage(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            # Another one may have deactivated this superuser since the request began.
            may_deactivate_superusers = request.user in lock_active_superusers()
            chosen = list(queryset.filter(is_active=True))
            users = [u for u in chosen if u != request.user and (may_deactivate_superusers or not u.is_superuser)]
            User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=False)
        for user in users:
            self.log_change(request, user, "Deactivated.")
        text = ngettext("%d user was deactivated.", "%d users were deactivated.", len(users)) % len(users)
        self.message_user(request, text, messages.SUCCESS if users else messages.WARNING)
        if len(users) < len(chosen):
            text = gettext("You cannot deactivate yourself, and only superusers deactivate superusers.")
            self.message_user(request, text, messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.settings_view)
        return [
            path("settings/", view, name="identity_user_settings"),
            *(section.url for section in sections),
            *super().get_urls(),
        ]

    def settings_view(self, request: HttpRequest) -> HttpResponse:
        """Shows what each user of the admin may set for themselves, whatever their permissions."""
        user = User.objects.get(username=request.user.get_username())
        form = SettingsForm(request.POST or None, instance=user)
        if form.is_valid():
            user.save(update_fields=form.fields)
            # In the language of the page that shows it
            with translation.override(user.language or translation.get_language_from_request(request)):
                self.message_user(request, gettext("Your settings were saved."), messages.SUCCESS)
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


class PermissionsField(forms.ModelMultipleChoiceField):
    """Permissions in words, since Django's names of them are in English."""

    ACTIONS = {"view": _("may view"), "add": _("may add"), "change": _("may change"), "delete": _("may delete")}

    def label_from_instance(self, obj: Permission) -> str:
        model = obj.content_type.model_class()
        verb = self.ACTIONS.get(obj.codename.split("_")[0], gettext(obj.name))
        return f"{capfirst(model._meta.verbose_name_plural) if model else obj.content_type.name}: {verb}"


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(GuardedAdmin, auth.GroupAdmin):
    """Users edit only groups all of whose permissions they have, and add only permissions that they have."""

    filter_horizontal = ()

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or holds_permissions_of(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or holds_permissions_of(request.user, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Leaves out the rows that tie the groups to users and permissions: their names are internal."""
        _deleted, _counts, *refused = super().get_deleted_objects(objs, request)
        return [str(group) for group in objs], {self.opts.verbose_name_plural: len(objs)}, *refused

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if request and db_field.name == "permissions":
            kwargs["queryset"] = permissions_of(request.user).filter(content_type__in=self._content_types())
            kwargs |= {"form_class": PermissionsField, "widget": forms.CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _content_types(self) -> list[ContentType]:
        """Returns those of the models that have pages here: permissions of the others do nothing."""
        models = [(content_type, content_type.model_class()) for content_type in ContentType.objects.all()]
        return [content_type for content_type, model in models if model and self.admin_site.is_registered(model)]
