from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from incidents.models import DESCRIPTION_MAX_LENGTH, Incident, IncidentChange


class TextField(serializers.CharField):
    """Text and nothing else: REST framework would take a number for its digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    description = TextField(max_length=DESCRIPTION_MAX_LENGTH)

    class Meta:
        model = Incident
        fields = ("id", "description", "status", "source", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError, for a field that does not exist too: a typing mistake never passes for a change."""
        unknown = {}
        if isinstance(data, dict):
            message = ErrorDetail(str(_("This field does not exist.")), code="unknown_field")
            unknown = {name: [message] for name in data if name not in self.fields}
        try:
            value = super().to_internal_value(data)
        except ValidationError as exc:
            raise ValidationError({**exc.detail, **unknown}) from None  # type: ignore[dict-item]
        if unknown:
            raise ValidationError(unknown)
        return value


class IncidentChangeSerializer(serializers.ModelSerializer[IncidentChange]):
    class Meta:
        model = IncidentChange
        fields = ("at", "actor", "channel", "changes")
