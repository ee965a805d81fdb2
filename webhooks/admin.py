from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.admin import GuardedAdmin
from core.forms import GuardedForm
from desk.change_list import BoundedPaginator
from desk.registry import Failures, failures
from desk.retry import RetryAdmin
from incidents.models import Source, Status
from webhooks.addresses import mask_userinfo, normalize_url
from webhooks.models import Event, EventType, Subscription, send_again


class SuperuserAdmin(RetryAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)


def _choices(label: Any, choices: Any) -> forms.MultipleChoiceField:
    widget = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(
        label=label, choices=choices, required=False, widget=widget, help_text=_("None chosen: all.")
    )


class SubscriptionForm(GuardedForm):
    events = _choices(_("events"), EventType.choices)
    statuses = _choices(_("statuses, before or after"), Status.choices)
    sources = _choices(_("sources, before or after"), Source.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if url := self.initial.get("url"):
            self.initial["url"] = mask_userinfo(url)

    def clean_url(self) -> str:
        """Normalizes a changed address; one of an earlier release may stay, so that the other fields can be saved."""
        url: str = self.cleaned_data["url"]
        return normalize_url(url) if "url" in self.changed_data else url


@admin.register(Subscription)
class SubscriptionAdmin(GuardedAdmin, SuperuserAdmin):
    form = SubscriptionForm
    fields = (
        *("name", "url", "events", "statuses", "sources", "is_active"),
        *("tried_at", "failing_since", "paused_since", "pause_reason"),
    )
    readonly_fields = ("tried_at", "failing_since", "paused_since", "pause_reason")
    list_display = ("name", "is_active", "tried_at", "failing_since", "paused_since", "pause_reason", "retry_button")
    phone_hidden = ("tried_at", "paused_since", "pause_reason")
    list_filter = ("is_active", "pause_reason")
    search_fields = ("name",)
    actions = ("retry_chosen", "rotate_secret")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        return bool(request.user.is_superuser)

    def needs_retry(self, obj: Subscription) -> bool:
        return obj.failing_since is not None or obj.paused_since is not None

    def retry(self, queryset: QuerySet[Subscription]) -> None:
        for subscription in queryset:
            subscription.resume()

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        # Not the fields that the job writes meanwhile
        obj.save(update_fields=form.changed_data if change else None)
        if not change:
            self._show_secret(request, obj)

    @admin.action(description=_("Make a new secret"), permissions=["change"])
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        for subscription in queryset:
            subscription.rotate_secret()
            self.log_change(request, subscription, "New secret.")
            self._show_secret(request, subscription)

    def _show_secret(self, request: HttpRequest, subscription: Subscription) -> None:
        text = gettext("The secret of {}, which is not shown again: {}")
        self.message_user(request, format_html(text, subscription, subscription.secret), messages.WARNING)


@admin.register(Event)
class EventAdmin(SuperuserAdmin):
    list_display = (
        *("id", "subscription", "type", "incident", "state", "attempts", "attempted_at", "status_code", "failure"),
        *("due_at", "retry_button"),
    )
    phone_hidden = ("subscription", "attempts", "attempted_at", "status_code", "failure", "due_at")
    list_filter = ("state", "subscription", "type", "failure")
    list_select_related = ("subscription", "incident")
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False

    def needs_retry(self, obj: Event) -> bool:
        return obj.subscription.is_active and obj.subscription.paused_since is None

    def retry(self, queryset: QuerySet[Event]) -> None:
        send_again(queryset)


failures.append(
    Failures(
        _("webhooks that are stopped"), Subscription, Q(paused_since__isnull=False), {"paused_since__isnull": False}
    )
)
