"""The OpenAPI document: its order, complete responses, and one schema of errors with the codes of each response."""

import re
from copy import deepcopy
from itertools import groupby
from typing import Any

from drf_spectacular import openapi
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from drf_spectacular.utils import OpenApiExample
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework_simplejwt.exceptions import InvalidToken

from core.api.exception_handler import ErrorHandler
from core.api.exceptions import LengthRequired, RequestTooLarge, ServiceUnavailable
from core.api.pagination import page_size_out_of_range
from core.api.serializers import StrictSerializer

TAGS = {
    "incidents": "Record, list, read, change incidents and comment on them. None is ever deleted.",
    "jwt": "Log in with name and password, renew and check tokens.",
    "users": "A user sees and edits only itself; everything else requires Django's permission for it.",
    "intake": "For systems that report, each with a secret of its own: users' tokens are not accepted here.",
}
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
    "a `validation_error` with required, blank, null, invalid, invalid_choice, max_length, min_length, unknown_field "
    "and the like"
)


def arrange(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: tags and paths in the order of TAGS. Raises ValueError for a tag that TAGS lacks."""
    for schema in result["components"]["schemas"].values():
        if "enum" in schema and "description" in schema:  # "* `open` - Open": the codes are in the enum already
            schema["description"] = ", ".join(re.findall("` - (.*)", schema["description"]))
    names = list(TAGS)
    tag_of = {path: next(iter(operations.values()))["tags"][0] for path, operations in result["paths"].items()}
    result["tags"] = [{"name": name, "description": description} for name, description in TAGS.items()]
    result["paths"] = dict(sorted(result["paths"].items(), key=lambda item: names.index(tag_of[item[0]])))
    return result


class AutoSchema(openapi.AutoSchema):
    """Takes the errors of a view beyond the common ones from its `raises`: {action or method: exception classes}."""

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(force_instance(serializer), StrictSerializer):  # type: ignore[no-untyped-call]
            schema["additionalProperties"] = False
        if direction == "response":
            schema["required"] = list(schema["properties"])
        return schema

    def _get_examples(self, serializer: Any, direction: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        examples: dict[str, Any] = super()._get_examples(serializer, direction, *args, **kwargs)  # type: ignore[no-untyped-call]
        if direction == "response" and self._is_list_view(serializer):
            for example in examples.values():  # of lists; drf-spectacular makes a page of one of it
                (rows,) = example["value"]["results"]
                example["value"] |= {"count": len(rows), "results": rows}
        return examples

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if direction == "response":
            for status, errors in groupby(sorted(self._raised(), key=status_of), status_of):
                bodies[str(status)] = self._error_body(list(errors))
        return bodies

    def _raised(self) -> list[exceptions.APIException]:
        errors = [exceptions.APIException(), ServiceUnavailable()]
        if self.method in ("POST", "PUT", "PATCH"):
            errors += [self._fault(), exceptions.ParseError(), LengthRequired(), RequestTooLarge()]
            errors += [exceptions.UnsupportedMediaType("text/plain")]
        elif any(parameter["in"] == "query" for parameter in self._get_parameters()):
            errors += [page_size_out_of_range()]
        if any(not isinstance(permission, AllowAny) for permission in self.view.get_permissions()):
            errors += [exceptions.NotAuthenticated(), InvalidToken()]
        if self._is_list_view() or "{" in self.path:
            errors += [exceptions.NotFound()]
        action = getattr(self.view, "action", self.method.lower())
        return errors + [error() for error in getattr(self.view, "raises", {}).get(action, ())]

    def _fault(self) -> exceptions.ValidationError:
        """An example: null for the first field of the request."""
        fields = force_instance(self.get_request_serializer()).fields  # type: ignore[no-untyped-call]
        name, field = next((name, field) for name, field in fields.items() if not field.read_only)
        return exceptions.ValidationError({name: [field.error_messages["null"]]}, code="null")

    def _error_body(self, errors: list[exceptions.APIException]) -> dict[str, Any]:
        component = ResolvedComponent("Error", ResolvedComponent.SCHEMA, deepcopy(ERROR), "core.api.exception_handler")  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        bodies = [ErrorHandler(error, {}).format_exception(error) for error in errors]  # type: ignore[typeddict-item]
        examples = {body["errors"][0]["code"]: {"value": body} for body in bodies}
        schema: dict[str, Any] = component.ref
        names = sorted((code.partition(" ")[2] or VALIDATION for code in examples), key=VALIDATION.__eq__)
        if VALIDATION not in names:
            schema |= {"properties": {"errors": {"items": {"properties": {"code": {"enum": list(examples)}}}}}}
        content = {"application/json": {"schema": schema, "examples": examples}}
        return {"description": ", ".join(names), "content": content}


def in_request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def in_response(name: str, value: Any) -> OpenApiExample:
    """For a list, `value` is the entries of a page."""
    return OpenApiExample(name, value, response_only=True)


def status_of(error: exceptions.APIException) -> int:
    return error.status_code
