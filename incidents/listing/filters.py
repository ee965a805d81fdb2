from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions
from rest_framework.fields import get_error_detail

from core.timestamps import parse_date, parse_timestamp
from incidents.models import Incident, IncidentQuerySet, Source, Status
from incidents.text import normalize_line_breaks

ORDERINGS = tuple(sign + field for field in ("created_at", "updated_at", "id") for sign in ("", "-"))


class ListField(forms.MultipleChoiceField):
    """Choices, repeated (`status=open&status=closed`) or separated by commas."""

    def to_python(self, value: Any) -> list[str]:
        return [choice for item in super().to_python(value) for choice in item.split(",")]


class TimestampField(forms.Field):
    """A timestamp as in RFC 3339, or a date, which means its midnight in UTC."""

    default_error_messages = {
        "invalid": _(
            "Enter a date, or a date and time with seconds and offset as in RFC 3339. In a URL, + is written %2B."
        )
    }

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        try:
            return parse_date(value) if len(value) == len("2024-01-15") else parse_timestamp(value)
        except OverflowError:
            return (datetime.min if value.startswith("0001") else datetime.max).replace(tzinfo=UTC)
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class TextField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return normalize_line_breaks(super().to_python(value) or "")


class ListFilter(filters.MultipleChoiceFilter):
    field_class = ListField


@extend_schema_field(
    {
        "type": "string",
        "anyOf": [{"format": "date-time"}, {"format": "date"}],
        "description": "RFC 3339: a timestamp (+ is written %2B in a URL), or a date, which means its midnight in UTC.",
    }
)
class TimestampFilter(filters.Filter):
    field_class = TimestampField


@extend_schema_field({"type": "string", "minLength": 3, "pattern": r"^[^\u0000]*$"})
class TextFilter(filters.CharFilter):
    """Literal text, outer white space included."""

    field_class = TextField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, min_length=3, **kwargs)


class IncidentFilter(filters.FilterSet):
    status = ListFilter(choices=Status.choices)
    source = ListFilter(choices=Source.choices)
    created_after = TimestampFilter("created_at", "gte")
    created_before = TimestampFilter("created_at", "lt")
    updated_after = TimestampFilter("updated_at", "gte")
    updated_before = TimestampFilter("updated_at", "lt")
    search = TextFilter(method="mentioning")
    ordering = filters.ChoiceFilter(choices=[(name, name) for name in ORDERINGS], empty_label=None, method="order")

    class Meta:
        model = Incident
        fields: list[str] = []

    def mentioning(self, queryset: IncidentQuerySet, name: str, value: str) -> IncidentQuerySet:
        return queryset.mentioning(value)

    def order(self, queryset: IncidentQuerySet, name: str, value: str) -> IncidentQuerySet:
        return queryset.in_order(value)


# Built once: a filter set for each request costs more than the rows of a page.
FILTERS = IncidentFilter().filters


def clean(query: QueryDict) -> dict[str, Any]:
    """
    What the query asks for, by filter. Raises ValidationError.

    An empty value is no allowed value: `status=` is a mistake, not the absence of the filter.
    """
    cleaned, errors = {}, {}
    for name in FILTERS.keys() & query.keys():
        field = FILTERS[name].field
        try:
            cleaned[name] = field.clean(field.widget.value_from_datadict(query, {}, name))
            if not all(query.getlist(name)):
                raise ValidationError(_("This value may not be empty."), code="blank")
        except ValidationError as exc:
            errors[name] = get_error_detail(exc)
    if errors:
        raise exceptions.ValidationError(errors)
    return cleaned


def apply(cleaned: Mapping[str, Any], queryset: IncidentQuerySet) -> IncidentQuerySet:
    for name, value in cleaned.items():
        queryset = FILTERS[name].filter(queryset, value)
    return queryset
