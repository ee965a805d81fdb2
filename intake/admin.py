import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.admin import GuardedAdmin, ListAdmin
from core.forms import GuardedForm
from desk.change_list import BoundedPaginator
from desk.registry import ORIGINS_SHOWN, Failures, Origin, failures, origins
from incidents.models import Incident
from intake import inbox
from intake.models import Delivery, Episode, Sender
from intake.notes import display
from intake.parsers import Format, parse
from intake.parsers.preview import preview
from intake.parsers.reading import MAX_WHOLE_SIZE, UnreadableError, is_form, read

MAX_PAYLOAD_SHOWN = 100_000  # characters
MAX_PREVIEWED_CALLS, MAX_PREVIEWED_PARTS, MAX_PREVIEWED_SIZE = 10, 20, 1_000_000
MAX_REPLAYED = 1_000  # deliveries


class SenderForm(GuardedForm):
    class Meta:
        widgets = {"sentry_client_secret": forms.PasswordInput(attrs={"autocomplete": "new-password"})}

    def clean_sentry_client_secret(self) -> str:
        """Keeps the stored one, which is not shown, if the field is empty."""
        return self.cleaned_data["sentry_client_secret"] or self.instance.sentry_client_secret


@admin.register(Sender)
class SenderAdmin(GuardedAdmin):
    form = SenderForm
    show_facets = admin.ShowFacets.NEVER  # they would count the whole table
    list_display = ("name", "format", "source", "is_active", "works")
    phone_hidden = ("source",)
    list_filter = ("format", "is_active", "has_faults")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "format", "source", "is_active", "reopen_within_minutes", "urgent")}),
        (Format.GENERIC.label, {"fields": ("description_path", "dedup_path", "resolved")}),
        (Format.SENTRY.label, {"fields": ("sentry_client_secret",)}),
    )
    actions = ("make_secret", "revoke_secret")
    change_form_template = "admin/intake/sender/change_form.html"

    def has_delete_permission(self, request: HttpRequest, obj: Sender | None = None) -> bool:
        return False  # its deliveries stay: make it inactive instead

    def get_readonly_fields(self, request: HttpRequest, obj: Sender | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()  # the other system calls an address that has it

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        secret = None if change else obj.make_secret()
        super().save_model(request, obj, form, change)
        if secret:
            self._show(request, obj, secret)

    @admin.display(description=_("works"), boolean=True, ordering="has_faults")
    def works(self, sender: Sender) -> bool:
        """Shows the contrary of has_faults, so that a green tick means good."""
        return not sender.has_faults

    @admin.action(description=_("Make a new secret"), permissions=["change"])
    def make_secret(self, request: HttpRequest, queryset: QuerySet[Sender]) -> None:
        for sender in queryset:
            secret = sender.make_secret()
            sender.save(update_fields=["secret_hash"])
            self.log_change(request, sender, "New secret.")
            self._show(request, sender, secret)

    @admin.action(description=_("Revoke the secret"), permissions=["change"])
    def revoke_secret(self, request: HttpRequest, queryset: QuerySet[Sender]) -> None:
        for sender in queryset:
            sender.secret_hash, sender.sentry_client_secret = b"", ""
            sender.save(update_fields=["secret_hash", "sentry_client_secret"])
            self.log_change(request, sender, "Secret revoked.")
            self.message_user(request, _("The secret of %s was revoked.") % sender)

    def _show(self, request: HttpRequest, sender: Sender, secret: str) -> None:
        text = gettext("The secret of {}, which is not shown again: {}")
        self.message_user(request, format_html(text, sender, secret), messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("<int:pk>/preview/", view, name="intake_sender_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows what the last calls would become by the form as it is filled in. Saves nothing."""
        sender = self.get_object(request, str(pk))
        if sender is None or request.method != "POST":
            raise Http404
        if not self.has_change_permission(request, sender):
            raise PermissionDenied
        form = self.get_form(request, sender, change=True)(request.POST, instance=sender)
        calls = list(_preview_calls(form.instance)) if form.is_valid() else []
        context = {**self.admin_site.each_context(request), "title": _("Preview"), "form": form, "calls": calls}
        return TemplateResponse(request, "admin/intake/sender/preview.html", context)


def _preview_calls(sender: Sender) -> Iterator[tuple[Delivery, list[str]]]:
    deliveries = sender.deliveries.alias(size=Length("body")).filter(size__lte=MAX_PREVIEWED_SIZE).order_by("-pk")
    for delivery in deliveries[:MAX_PREVIEWED_CALLS]:
        try:
            payload, notices = read(bytes(delivery.body), delivery.content_type, sender.format)
            sentences = preview([*notices, *parse(sender.format, payload, sender.paths)])
        except UnreadableError as exc:
            sentences = [str(exc.reason.label)]
        yield delivery, [Truncator(sentence).chars(200) for sentence in sentences[:MAX_PREVIEWED_PARTS]]


class WarningsFilter(admin.SimpleListFilter):
    title = _("warnings")
    parameter_name = "warned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("with warnings"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(warnings__gt=0) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(ListAdmin):
    show_facets = admin.ShowFacets.NEVER  # they would count the whole table
    # Few columns, so that the notes are seen without scrolling.
    list_display = ("id", "origin", "received_at", "state", "short_notes")
    phone_hidden = ("origin", "short_notes")
    list_filter = ("state", WarningsFilter, "channel", "sender")
    list_select_related = ("sender",)
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = (
        *("sender", "channel", "state", "received_at", "processed_at", "request_id"),
        *("incidents", "faults", "warnings", "all_notes", "content_type", "payload"),
    )
    readonly_fields = ("incidents", "all_notes", "payload")
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("body")  # up to 20 MB each

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("intake.replay_delivery"))

    @admin.action(description=_("Process again"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MAX_REPLAYED + 1])
        count = inbox.replay(ids[:MAX_REPLAYED])
        text = ngettext("%d delivery will be processed again.", "%d deliveries will be processed again.", count)
        self.message_user(request, text % count)
        if len(ids) > MAX_REPLAYED:
            text = gettext("Only the oldest %d were taken: repeat this for the others.")
            self.message_user(request, text % MAX_REPLAYED, messages.WARNING)

    @admin.display(description=_("sender"), ordering="sender__name")
    def origin(self, delivery: Delivery) -> str:
        return str(delivery.sender or delivery.get_channel_display())

    @admin.display(description=_("notes"))
    def short_notes(self, delivery: Delivery) -> str:
        return Truncator("; ".join(map(display, delivery.notes.splitlines()))).chars(100)

    @admin.display(description=_("notes"))
    def all_notes(self, delivery: Delivery) -> SafeString:
        return format_html_join("", "{}<br>", ((display(line),) for line in delivery.notes.splitlines()))

    @admin.display(description=_("incidents"))
    def incidents(self, delivery: Delivery) -> SafeString:
        found = reduce(or_, (find(delivery) for find in incidents_of)).order_by("pk")
        links = ((reverse("admin:incidents_incident_change", args=[one.pk]), one) for one in found)
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @admin.display(description=_("payload"))
    def payload(self, delivery: Delivery) -> SafeString:
        body = bytes(delivery.body)
        text = body[: 4 * MAX_PAYLOAD_SHOWN].decode("utf-8", "replace")
        if len(body) <= MAX_WHOLE_SIZE and not is_form(body, delivery.content_type):
            with suppress(UnreadableError, RecursionError):
                text = json.dumps(read(body)[0], ensure_ascii=False, indent=2)
        text = text.encode("utf-8", "replace").decode()
        return format_html("<pre>{}</pre>", Truncator(text).chars(MAX_PAYLOAD_SHOWN))


def incidents_of_episodes(delivery: Delivery) -> QuerySet[Incident]:
    opened, closed = (episodes.values("incident")[:100] for episodes in (delivery.opened, delivery.closed))
    return Incident.objects.filter(pk__in=opened).order_by() | Incident.objects.filter(pk__in=closed).order_by()


# What was made of a delivery: querysets without an order. The admin modules of the apps above append theirs.
incidents_of: list[Callable[[Delivery], QuerySet[Incident]]] = [incidents_of_episodes]


def deliveries(request: HttpRequest, incident: Incident) -> Iterator[Origin]:
    """Finds those that opened the incident."""
    linked = admin.site.get_model_admin(Delivery).has_view_permission(request)
    episodes = Episode.objects.filter(incident=incident, opened_by__isnull=False).order_by("pk")
    for sender, pk in episodes.values_list("sender__name", "opened_by")[:ORIGINS_SHOWN]:
        url = reverse("admin:intake_delivery_change", args=[pk]) if linked else None
        yield Origin(sender, gettext("delivery №%d") % pk, url)


origins.append(deliveries)
failures.append(
    Failures(_("faulty deliveries"), Delivery, Q(state=Delivery.State.FAULTY), {"state__exact": Delivery.State.FAULTY})
)
