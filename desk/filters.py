"""The filters of the list of incidents. Each keeps its choice in the address."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from desk import people
from incidents.history import full_names
from incidents.listing.filters import URGENT
from incidents.models import UNRESOLVED, Channel, Incident, Status
from incidents.reports import last_resolutions


class ChoicesFilter(admin.FieldListFilter):
    """Several choices of a field at once: each is a link that adds or removes it."""

    def expected_parameters(self) -> list[str | None]:
        return [f"{self.field_path}__in", f"{self.field_path}__exact"]

    @property
    def chosen(self) -> set[str]:
        given: Iterable[Any] = self.used_parameters.values()
        return {choice for items in given for item in items for choice in ([item] if isinstance(item, str) else item)}

    def link(self, changelist: ChangeList, display: Any, values: set[str], *, selected: bool) -> dict[str, Any]:
        ordered = ",".join(value for value, _label in self.field.flatchoices if value in values)
        query = changelist.get_query_string({f"{self.field_path}__in": ordered or None}, [f"{self.field_path}__"])
        return {"selected": selected, "query_string": query, "display": display}

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield self.link(changelist, _("All"), set(), selected=not self.chosen)
        for value, label in self.field.flatchoices:
            yield self.link(changelist, label, self.chosen ^ {value}, selected=value in self.chosen)


class StatusFilter(ChoicesFilter):
    template = "admin/incidents/incident/filter_status.html"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        every, *each = super().choices(changelist)
        unresolved: set[str] = set(UNRESOLVED)
        yield every
        yield self.link(changelist, _("Unresolved"), unresolved, selected=self.chosen == unresolved)
        for (value, _label), choice in zip(Status.choices, each, strict=True):
            yield choice | {"status": value}


class UrgentFilter(admin.SimpleListFilter):
    title = _("urgency")
    parameter_name = "urgent"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, Any]]:
        return [("true", _("Urgent")), ("false", _("Not urgent"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        if not self.value():
            return queryset
        if self.value() not in URGENT:
            raise IncorrectLookupParameters
        return queryset.filter(urgent=self.value() == "true")


class TakerFilter(admin.SimpleListFilter):
    """Who has taken it: the operator, or a person by username."""

    title = _("taken by")
    parameter_name = "taken_by"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, Any]]:
        own = request.user.get_username()
        others = [(username, name) for username, name in people.choices() if username != own]
        chosen = self.value()
        if chosen and chosen != own and chosen not in dict(others):
            # Such as a person who has left, or an author in Telegram
            others.append((chosen, full_names([chosen]).get(chosen, chosen)))
        return [(own, pgettext_lazy("incidents", "Mine")), *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        return queryset.filter(taken_by=self.value()) if self.value() else queryset


class CreatedFilter(admin.ListFilter):
    """The day of creation in the current time zone: `created` for days up to today, or a range of dates."""

    title = _("created")
    template = "admin/incidents/incident/filter_created.html"
    # How many days ago the first and the last day are.
    DAYS = {
        "today": (0, 0, _("Today")),
        "yesterday": (1, 1, _("Yesterday")),
        "7d": (6, 0, _("7 days")),
        "30d": (29, 0, _("30 days")),
    }

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Incident], model_admin: admin.ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name, [""])[-1] for name in self.expected_parameters()}
        self.used: dict[str, str] = {name: value for name, value in given.items() if value}
        # The board's links to a period, by which Django filters; here they are only shown.
        self.bounds = [params[name][-1] for name in ("created_at__gte", "created_at__lt") if name in params]

    def expected_parameters(self) -> list[Any]:
        return ["created", "created_from", "created_to"]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        try:
            first, last = (
                date.fromisoformat(value) if (value := self.used.get(name)) else None
                for name in ("created_from", "created_to")
            )
            if days := self.used.get("created"):
                first, last = (timezone.localdate() - timedelta(days=ago) for ago in self.DAYS[days][:2])
            created_at = Incident._meta.get_field("created_at")
            self.period = [timezone.localtime(created_at.get_prep_value(value)) for value in self.bounds]
        except (KeyError, ValidationError, ValueError) as exc:
            raise IncorrectLookupParameters(exc) from exc
        if first:
            queryset = queryset.filter(created_at__gte=_midnight(first))
        if last:
            queryset = queryset.filter(created_at__lt=_midnight(last + timedelta(days=1)))
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        used = self.used
        # For the form of the range
        self.others = [item for item in changelist.params.items() if item[0] not in self.expected_parameters()]
        link = changelist.get_query_string
        whole = not used and not self.period
        yield {"selected": whole, "query_string": link(remove=["created"]), "display": _("All")}
        if self.period:
            yield {"selected": True, "query_string": link(), "display": _period(self.period)}
        for value, (_first, _last, label) in self.DAYS.items():
            selected = used.get("created") == value
            yield {"selected": selected, "query_string": link({"created": value}, ["created"]), "display": label}


class ResolvedFilter(admin.ListFilter):
    """The board's links to what was resolved in a period: two timestamps. Shown only where it is used."""

    title = _("resolved")

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Incident], model_admin: admin.ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.bounds = [value for name in self.expected_parameters() if (value := params.pop(name, [""])[-1])]

    def expected_parameters(self) -> list[Any]:
        return ["resolved_from", "resolved_to"]

    def has_output(self) -> bool:
        return bool(self.bounds)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        try:
            since, until = (datetime.fromisoformat(value) for value in self.bounds)
            self.period = [timezone.localtime(since), timezone.localtime(until)]
        except (OverflowError, ValueError) as exc:
            raise IncorrectLookupParameters(exc) from exc
        return queryset.filter(pk__in=last_resolutions(since).filter(resolved_at__lt=until).values("incident"))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        link = changelist.get_query_string
        yield {"selected": False, "query_string": link(remove=self.expected_parameters()), "display": _("All")}
        yield {"selected": True, "query_string": link(), "display": _period(self.period)}


class OpenForFilter(admin.SimpleListFilter):
    title = _("open longer than")
    parameter_name = "open_for"
    AGES = {
        "1h": (timedelta(hours=1), _("1 hour")),
        "4h": (timedelta(hours=4), _("4 hours")),
        "1d": (timedelta(days=1), _("1 day")),
        "1w": (timedelta(weeks=1), _("1 week")),
    }

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, Any]]:
        return [(value, label) for value, (_age, label) in self.AGES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        if not self.value():
            return queryset
        if self.value() not in self.AGES:
            raise IncorrectLookupParameters
        age, _label = self.AGES[str(self.value())]
        return queryset.filter(status__in=UNRESOLVED, created_at__lt=timezone.now() - age)


class ChannelFilter(admin.SimpleListFilter):
    """The channel by which the incident was created: of the first entry of its history."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, Any]]:
        return Channel.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        if not self.value():
            return queryset
        # The first entry alone has no earlier status, and it is of the incident's own time: so the index of such
        # entries by channel and time gives the newest incidents first.
        return queryset.filter(
            changes__channel=self.value(), changes__changes__status__0=None, changes__at=F("created_at")
        )


def _period(bounds: Iterable[datetime]) -> str:
    return " – ".join(date_format(at, "SHORT_DATETIME_FORMAT") for at in bounds)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
