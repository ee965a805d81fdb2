from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import DataError, NotSupportedError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

OVERWRITES = _("Others changed this after you opened the page. Stored now: %s. Save again to overwrite it.")
RETRIED = 10_000  # at once
# Django passes the value of a range in pieces; a regular expression may be malformed, or run for hours.
REFUSED_LOOKUPS = {"range", "contained_by", "regex", "iregex"}


class GuardedForm(forms.ModelForm):
    """
    Refuses to overwrite what others have changed since the person opened the page; sent again, it overwrites.

    The form sends with each value the one that the person saw. Fields that the person did not edit stay as stored.
    """

    data: QueryDict

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Scripts may send the values alone.
        if self.instance.pk and (not self.is_bound or any(name.startswith("initial-") for name in self.data)):
            for field in self.fields.values():
                # Neither a password's hash nor a secret is shown.
                field.show_hidden_initial = not (field.disabled or isinstance(field.widget, forms.PasswordInput))

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.instance.pk:
            return values
        shown = self.data.copy()
        for bound in self:
            stored, seen = _sent(bound), self.data.getlist(bound.html_initial_name)
            # Browsers and fields strip white space.
            if not bound.field.show_hidden_initial or sorted(map(str.split, seen)) == sorted(map(str.split, stored)):
                continue
            shown.setlist(bound.html_initial_name, stored)
            if bound.name not in self.changed_data:
                shown.setlist(bound.html_name, stored)
            elif bound.field.has_changed(bound.initial, bound.data):
                self.add_error(bound.name, OVERWRITES % (_display(bound) or gettext("nothing")))
        if self.errors:
            self.data = shown
        return {name: value for name, value in values.items() if name in self.changed_data}


def _sent(bound: forms.BoundField) -> list[str]:
    """What a page sends in hidden inputs of the stored value."""
    value = bound.field.prepare_value(bound.initial)
    return ["" if one is None else str(one) for one in (value if isinstance(value, list) else [value])]


def _display(bound: forms.BoundField) -> str:
    values, choices = _sent(bound), getattr(bound.field, "choices", ())
    return ", ".join([str(label) for value, label in choices if str(value) in values] or values)


class ListAdmin(admin.ModelAdmin):
    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django looks up the field that an empty `_to_field` names.
        return super().get_object(request, object_id, from_field or None)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """
        Refuses as an invalid filter what the database refuses too, such as a year 999999.

        Raises IncorrectLookupParameters, which leads to the list without filters, or Http404 where that was tried.
        """
        lookups = {name.split("__")[-1] for name in request.GET if "__" in name}
        try:
            if lookups & REFUSED_LOOKUPS:
                raise FieldDoesNotExist
            return super().get_changelist_instance(request)
        except (DataError, FieldDoesNotExist, NotSupportedError, OverflowError, ValueError) as exc:
            if request.method != "GET" or ERROR_FLAG in request.GET:
                raise Http404 from exc
            raise IncorrectLookupParameters from exc


class GuardedAdmin(ListAdmin):
    form = GuardedForm

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked where a transaction is open: a form compares and saves in one."""
        obj = super().get_object(request, object_id, from_field)
        if obj and transaction.get_connection().in_atomic_block:
            return self.model._default_manager.select_for_update(no_key=True).filter(pk=obj.pk).first()
        return obj


class RetryAdmin(ListAdmin):
    """Rows that are never added or deleted by hand; a button at each that has failed sends again, an action many."""

    actions: tuple[str, ...] = ("retry_chosen",)

    show_facets = admin.ShowFacets.NEVER  # they would count the whole table

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def needs_retry(self, obj: Any) -> bool:
        raise NotImplementedError

    def retry(self, queryset: QuerySet) -> None:
        raise NotImplementedError

    @admin.action(description=_("Send again"), permissions=["retry"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet) -> None:
        chosen = queryset.order_by("pk")[:RETRIED]
        rows = self.model._default_manager.filter(pk__in=[obj.pk for obj in chosen if self.needs_retry(obj)])
        LogEntry.objects.log_actions(str(request.user.pk), rows, CHANGE, "Retry.")
        count = rows.count()
        self.retry(rows)
        self.message_user(request, _("Sent again: %d.") % count)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in self.list_display if name != "retry_button" or self.has_retry_permission(request)]

    @admin.display(description=_("retry"))
    def retry_button(self, obj: Any) -> SafeString | str:
        if not self.needs_retry(obj):
            return ""
        # Of the page's own form, which has the CSRF token and no text field, in which Enter would press the button
        button = (
            '<button class="button" formaction="{}" formmethod="post">'
            '{}<span class="visually-hidden"> {}</span></button>'
        )
        return format_html(button, reverse(f"admin:{self._retry_name()}", args=[obj.pk]), _("Retry"), obj)

    def get_urls(self) -> list[URLPattern]:
        view = require_POST(self.admin_site.admin_view(self.retry_view))
        return [path("<int:pk>/retry/", view, name=self._retry_name()), *super().get_urls()]

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        if not self.has_retry_permission(request):
            raise PermissionDenied
        self.retry(self.model._default_manager.filter(pk=pk))
        self.log_change(request, obj, "Retry.")
        self.message_user(request, _("It is sent again within a second or two."), messages.SUCCESS)
        changelist = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        path, _question_mark, filters = (
            request.headers.get("Referer", "").removeprefix(f"{request.scheme}://{request.get_host()}").partition("?")
        )
        return HttpResponseRedirect(f"{changelist}?{filters}" if filters and path == changelist else changelist)

    def _retry_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_retry"
