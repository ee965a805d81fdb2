"""The OpenAPI schema of errors: one component, and the codes of each response."""

from typing import Any

from drf_spectacular import openapi
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from rest_framework.permissions import AllowAny

from core.api.exception_handler import BY_STATUS
from core.api.serializers import StrictSerializer

ERROR = {
    "type": "object",
    "description": "Every response that is not a success. A `client_error` and a `server_error` have one entry, whose "
    "code is the HTTP status, a space and a name, and whose `attr` is null.",
    "required": ["type", "errors"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "enum": ["validation_error", "client_error", "server_error"]},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "detail", "attr"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "string", "description": "For programs."},
                    "detail": {"type": "string", "description": "For people: English, or Russian where asked for."},
                    "attr": {
                        "type": ["string", "null"],
                        "description": "The field, parameter or header at fault; `non_field_errors`: the body.",
                    },
                },
            },
        },
    },
}
VALIDATION = (
    "400 with required, blank, null, invalid, invalid_choice, max_length, min_length, unknown_field and the like"
)


class AutoSchema(openapi.AutoSchema):
    """Takes the error codes of a view beyond the common ones from its `raises`: {action or method: codes}."""

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(force_instance(serializer), StrictSerializer):  # type: ignore[no-untyped-call]
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if direction == "response":
            raised = self._raised()
            for status in sorted({int(code[:3]) for code in raised}):
                bodies[str(status)] = self._error_body([code for code in raised if code.startswith(str(status))])
        return bodies

    def _raised(self) -> list[str]:
        codes = [named(500), named(503)]
        if self.method in ("POST", "PUT", "PATCH"):
            codes += [VALIDATION, named(400), named(411), named(413), named(415)]
        elif any(parameter["in"] == "query" for parameter in self._get_parameters()):
            codes += [VALIDATION]
        if any(not isinstance(permission, AllowAny) for permission in self.view.get_permissions()):
            codes += [named(401), "401 token_not_valid"]
        if self._is_list_view() or "{" in self.path:
            codes += [named(404)]
        action = getattr(self.view, "action", self.method.lower())
        return codes + list(getattr(self.view, "raises", {}).get(action, ()))

    def _error_body(self, codes: list[str]) -> dict[str, Any]:
        component = ResolvedComponent("Error", ResolvedComponent.SCHEMA, ERROR, "core.api.exception_handler")  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        schema: dict[str, Any] = component.ref
        if VALIDATION not in codes:
            code = {"properties": {"code": {"enum": codes}}}
            schema = {"allOf": [component.ref, {"properties": {"errors": {"items": code}}}]}
        return {"description": "; ".join(codes), "content": {"application/json": {"schema": schema}}}


def named(status: int) -> str:
    return f"{status} {BY_STATUS[status].default_code}"
