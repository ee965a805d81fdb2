from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from core.api.serializers import StrictSerializer
from incidents.models import Channel, Incident, IncidentChange
from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": DESCRIPTION_MAX_LENGTH,
        "description": "With at least one visible character and without a NUL. Outer white space is removed.",
    }
)
class TextField(serializers.CharField):
    """Text and nothing else: REST framework would take a number for its digits."""

    def run_validation(self, data: Any = empty) -> str | None:
        if isinstance(data, str):
            data = normalize_line_breaks(data)
            if is_blank(data):
                self.fail("blank")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "type": "object",
        "description": "The old and the new value of each field that changed. A comment counts as a field. `urgent` is "
        "true or false.",
        "additionalProperties": {
            "type": "array",
            # Without types: generators of clients make a class of several.
            "items": {"description": "A text, true or false, or null for what was not there."},
            "minItems": 2,
            "maxItems": 2,
        },
    }
)
class ChangesField(serializers.JSONField):
    pass


class IncidentSerializer(StrictSerializer, serializers.ModelSerializer[Incident]):
    """A report of a problem."""

    description = TextField(max_length=DESCRIPTION_MAX_LENGTH)

    class Meta:
        model = Incident
        fields = ("id", "description", "status", "source", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")


class FlagField(serializers.BooleanField):
    """True or false and nothing else: REST framework would take "yes" and 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class UrgencySerializer(StrictSerializer):
    """Whether an incident is urgent: a mark beside its six fields."""

    urgent = FlagField()


class CommentSerializer(StrictSerializer):
    """What is added to the history of an incident."""

    text = TextField(max_length=DESCRIPTION_MAX_LENGTH)


class IncidentChangeSerializer(serializers.ModelSerializer[IncidentChange]):
    """One entry of an incident's history."""

    channel = serializers.CharField(help_text=f"The way in: {', '.join(Channel.values)}. Others may follow.")
    changes = ChangesField()

    class Meta:
        model = IncidentChange
        fields = ("at", "actor", "channel", "changes")
