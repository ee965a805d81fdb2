from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.settings import api_settings


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, so that a misspelt name does not pass as a change of nothing."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError with all errors at once."""
        unknown = {}
        if isinstance(data, dict) and (names := [name for name in data if name not in self.fields]):
            message = ErrorDetail(_("This field does not exist."), code="unknown_field")
            unknown = {name: [message] for name in names}
        try:
            value = super().to_internal_value(data)
        except ValidationError as exc:
            raise ValidationError({**exc.detail, **unknown}) from None  # type: ignore[dict-item]
        if unknown:
            raise ValidationError(unknown)
        return value


def validate_all(*checks: Callable[[], Any]) -> list[Any]:
    """Returns the results of all checks. Raises one ValidationError with the errors of all of them."""
    values: list[Any] = []
    errors: dict[str, Any] = {}
    for check in checks:
        try:
            values.append(check())
        except ValidationError as exc:
            errors |= exc.detail if isinstance(exc.detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: exc.detail}
    if errors:
        raise ValidationError(errors)
    return values
