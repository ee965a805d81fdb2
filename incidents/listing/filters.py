"""Each filter of the list, once: how its parameter is read, what the OpenAPI document says of it, and its condition."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, TextChoices
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.fields import get_error_detail

from core.timestamps import parse_date, parse_timestamp
from incidents.listing import search
from incidents.models import IncidentQuerySet, Source, Status
from incidents.text import normalize_line_breaks

_OFFSET_WITHOUT_COLON = re.compile(r"([+-]\d\d)(\d\d)\Z", re.ASCII)
# Without a parameter: a prepared statement could not use the partial indexes of urgent incidents.
URGENT = {"true": "urgent", "false": "NOT urgent"}
ORDERINGS = tuple(sign + field for field in ("created_at", "updated_at", "id") for sign in ("", "-"))


@dataclass(frozen=True)
class IncidentQuery:
    """What a list is asked for. An empty value is a filter that is absent."""

    status: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    urgent: str = ""  # of URGENT
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    search: str = ""
    ordering: str = "-created_at"

    @property
    def by_creation(self) -> bool:
        return self.ordering.endswith("created_at")

    @property
    def multi_value(self) -> bool:
        return len(self.status) > 1 or len(self.source) > 1


class ChoicesField(forms.MultipleChoiceField):
    """Choices, repeated (`status=open&status=closed`) or separated by commas."""

    def clean(self, value: list[str]) -> tuple[str, ...]:
        return tuple(super().clean([choice for item in value for choice in item.split(",")]))


class TimestampField(forms.Field):
    """
    A timestamp as in RFC 3339, or a date, which means its midnight in UTC.

    An offset without its colon is taken too: clients that openapi-generator makes for Python write it by strftime's %z.
    """

    default_error_messages = {
        "invalid": _(
            "Enter a date, or a date and time with seconds and offset as in RFC 3339. In a URL, + is written %2B."
        )
    }

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        try:
            if len(value) == len("2024-01-15"):
                return parse_date(value)
            return parse_timestamp(_OFFSET_WITHOUT_COLON.sub(r"\1:\2", value))
        except OverflowError:
            return (datetime.min if value.startswith("0001") else datetime.max).replace(tzinfo=UTC)
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class TextField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return normalize_line_breaks(super().to_python(value) or "")


@dataclass(frozen=True)
class Filter:
    name: str  # of its parameter, and of its value in IncidentQuery
    field: forms.Field
    schema: dict[str, Any]  # of OpenAPI
    sql: str | Callable[[Any], str]  # the condition on PostgreSQL, or that of a value
    q: Callable[[Any], Q]  # the condition for the ORM, which SQLite goes by
    counted: bool = True  # whether the counts know how many incidents it chooses
    description: str = ""


def _several(choices: type[TextChoices]) -> dict[str, Any]:
    """One item may hold several values, so that both forms are allowed: generated clients repeat the parameter."""
    one = "|".join(choices.values)
    return {
        "type": "array",
        "items": {"type": "string", "pattern": f"^({one})(,({one}))*$"},
        "example": choices.values[:1],
    }


def _one_or_more(choices: type[TextChoices]) -> str:
    return f"One or more of `{'`, `'.join(choices.values)}`, repeated or separated by commas."


def _timestamp(example: str) -> dict[str, Any]:
    return {
        "field": TimestampField(required=False),
        "schema": {"type": "string", "format": "date-time", "example": example},
        "description": "RFC 3339: a timestamp (+ is written %2B in a URL). A date alone, such as `2024-01-15`, is "
        "taken too, and means its midnight in UTC.",
    }


_AFTER, _BEFORE = _timestamp("2024-01-15T00:00:00Z"), _timestamp("2100-01-01T00:00:00Z")
FILTERS = (
    Filter(
        "status",
        ChoicesField(choices=Status.choices, required=False),
        _several(Status),
        "status = ANY(%(status)s)",
        lambda values: Q(status__in=values),
        description=_one_or_more(Status),
    ),
    Filter(
        "source",
        ChoicesField(choices=Source.choices, required=False),
        _several(Source),
        "source = ANY(%(source)s)",
        lambda values: Q(source__in=values),
        description=_one_or_more(Source),
    ),
    Filter(
        "urgent",
        forms.ChoiceField(choices=[(value, value) for value in URGENT], required=False),
        {"type": "boolean", "example": True},
        URGENT.__getitem__,
        lambda value: Q(urgent=value == "true"),
        description="Whether the incident is marked as urgent: `true` or `false`.",
    ),
    Filter(
        "created_after",
        sql="created_at >= %(created_after)s",
        q=lambda at: Q(created_at__gte=at),
        **_AFTER,
    ),
    Filter(
        "created_before",
        sql="created_at < %(created_before)s",
        q=lambda at: Q(created_at__lt=at),
        **_BEFORE,
    ),
    Filter(
        "updated_after",
        sql="updated_at >= %(updated_after)s",
        q=lambda at: Q(updated_at__gte=at),
        counted=False,
        **_AFTER,
    ),
    Filter(
        "updated_before",
        # What was created later was updated later: newest first, the database need not pass all of it.
        sql="updated_at < %(updated_before)s AND created_at < %(updated_before)s",
        q=lambda at: Q(updated_at__lt=at),
        counted=False,
        **_BEFORE,
    ),
    Filter(
        "search",
        TextField(strip=False, min_length=3, required=False),
        {"type": "string", "minLength": 3, "example": "самокат"},
        lambda text: f"id IN (SELECT incident_id {search.found_sql(text)})",
        search.contains,
        counted=False,
        description="A part of the description, whatever its case, without a NUL; е finds ё.",
    ),
)
_FIELDS = {each.name: each.field for each in FILTERS} | {
    "ordering": forms.ChoiceField(choices=[(name, name) for name in ORDERINGS], required=False)
}
OPENAPI_PARAMETERS = [
    *(OpenApiParameter(each.name, each.schema, description=each.description) for each in FILTERS),
    OpenApiParameter(
        "ordering",
        {
            "type": "string",
            "enum": list(ORDERINGS),
            "default": "-created_at",
            "example": "-created_at",
            # for generators of clients
            "x-enum-varnames": [name.replace("-", "descending_") for name in ORDERINGS],
        },
        description="Descending with a minus. Ties go by `id` in the same direction.",
    ),
]


def parse_query(parameters: QueryDict) -> IncidentQuery:
    """
    Raises ValidationError.

    An empty value is no allowed value: `status=` is a mistake, not the absence of the filter.
    """
    values: dict[str, Any] = {}
    errors = {}
    for name, field in _FIELDS.items():
        if name not in parameters:
            continue
        given = parameters.getlist(name)
        try:
            # Of a single value that is repeated the last counts, but none may be wrong.
            values[name] = field.clean(given) if isinstance(field, ChoicesField) else [*map(field.clean, given)][-1]
            if not all(given):
                raise ValidationError(_("This value may not be empty."), code="blank")
        except ValidationError as exc:
            errors[name] = get_error_detail(exc)
    if errors:
        raise exceptions.ValidationError(errors)
    return IncidentQuery(**values)


def filters_of(query: IncidentQuery) -> Iterator[tuple[Filter, Any]]:
    """Returns the filters that are not absent, and their values."""
    return ((each, value) for each in FILTERS if (value := getattr(query, each.name)))


def apply_filters(query: IncidentQuery, incidents: IncidentQuerySet) -> IncidentQuerySet:
    """Filters on SQLite."""
    return incidents.filter(*(each.q(value) for each, value in filters_of(query)))


def where_clause(query: IncidentQuery) -> tuple[list[str], dict[str, Any]]:
    """Conditions to be combined with AND, and their parameters. For PostgreSQL."""
    conditions, params = [], {}
    for each, value in filters_of(query):
        if isinstance(value, tuple) and len(value) == 1:
            # With = an index gives the newest first, with = ANY it does not.
            conditions.append(f"{each.name} = %({each.name})s")
            params[each.name] = value[0]
        elif not isinstance(each.sql, str):
            conditions.append(each.sql(value))
        else:
            conditions.append(each.sql)
            params[each.name] = list(value) if isinstance(value, tuple) else value
    if query.search:
        params["search"] = search.pattern(query.search)
    return conditions, params
