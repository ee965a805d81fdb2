"""
The OpenAPI document: its order, complete responses, and one schema of errors with the codes of each response.

Generators of clients and validating proxies know only a part of JSON Schema: there are no patterns of bodies (regular
expressions differ between languages), no alternatives (`anyOf`, `oneOf`) and nothing beside a `$ref`. What those would
say stands in the descriptions.
"""

import re
from copy import deepcopy
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from drf_spectacular import openapi
from drf_spectacular.plumbing import ResolvedComponent, build_media_type_object, force_instance
from drf_spectacular.utils import OpenApiExample
from rest_framework import exceptions, serializers
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
    "properties": {
        "type": {"type": "string", "enum": ["validation_error", "client_error", "server_error"]},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "detail", "attr"],
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
HEADERS = {
    "X-Request-ID": {
        "description": "In each log line of the request: as the client sent it, or else a new one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds until the next attempt.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "The scheme of the token.", "schema": {"type": "string"}},
}
VALIDATION = (
    "a `validation_error` with required, blank, null, invalid, invalid_choice, max_length, min_length, unique, "
    "unknown_field, invalid_password, password_too_short and the like"
)
ID_SCHEMA: dict[str, Any] = {"type": "integer", "format": "int64", "minimum": 1}


def arrange(
    result: dict[str, Any], generator: Any, request: HttpRequest | None = None, **kwargs: Any
) -> dict[str, Any]:
    """
    Sets the server, tags and paths in the order of TAGS, as a hook of drf-spectacular.

    Raises ValueError for a tag that TAGS lacks.
    """
    for schema in result["components"]["schemas"].values():
        if "enum" in schema and "description" in schema:  # "* `open` - Open": the codes are in the enum already
            schema["description"] = ", ".join(re.findall("` - (.*)", schema["description"]))
    # Postman and Bruno would take a relative address for their own.
    url = request.build_absolute_uri(request.META["SCRIPT_NAME"] + "/").rstrip("/") if request else "/"
    result["servers"] = [{"url": url}]
    names = list(TAGS)
    tag_of = {path: next(iter(operations.values()))["tags"][0] for path, operations in result["paths"].items()}
    result["tags"] = [{"name": name, "description": description} for name, description in TAGS.items()]
    result["paths"] = dict(sorted(result["paths"].items(), key=lambda item: names.index(tag_of[item[0]])))
    return result


class AutoSchema(openapi.AutoSchema):
    """Takes the errors of a view beyond the common ones from its `raises`: {action or method: exception classes}."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation:
            operation.setdefault("security", [])  # without it, some tools would send a token to log in
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] == "id":
                    # Tools send the examples as they are, and must delete nothing.
                    parameter["schema"] = ID_SCHEMA | {"example": 999_999_999 if self.method == "DELETE" else 1}
                # dredd and Postman read it only here.
                parameter["example"] = parameter["schema"]["example"]
                parameter["schema"] = {key: value for key, value in parameter["schema"].items() if key != "example"}
        return operation

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        for field in schema["properties"].values():
            if "oneOf" in field:  # text in a format, or none
                field |= field.pop("oneOf")[0]
                field.pop("format", None)
            field.pop("pattern", None)
            if field.get("type") in ("integer", ["integer", "null"]):
                field["format"] = "int64"
            if direction == "response":
                # Clients need not check lengths, and JavaScript counts in UTF-16. Some leave out what is read-only when
                # they write a response down.
                for key in ("minLength", "maxLength", "readOnly"):
                    field.pop(key, None)
        if direction == "response":
            schema["required"] = list(schema["properties"])
        elif isinstance(force_instance(serializer), StrictSerializer):  # type: ignore[no-untyped-call]
            schema["additionalProperties"] = False
            ignored = [name for name, field in force_instance(serializer).fields.items() if field.read_only]  # type: ignore[no-untyped-call]
            if ignored:
                schema["patternProperties"] = {f"^({'|'.join(ignored)})$": {"description": "Read-only: ignored."}}
        return schema

    def _get_request_body(self, direction: Any = "request") -> Any:
        """Describes that of a DELETE too, which drf-spectacular takes to have none."""
        if self.method != "DELETE":
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        serializer: Any = self.get_request_serializer()
        schema = self.resolve_serializer(serializer, direction).ref
        content = build_media_type_object(schema, self._get_examples(serializer, direction, "application/json"))
        # Another user is deleted without the password.
        return {"content": {"application/json": content}, "required": "{" not in self.path}

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
            for body in bodies.values():
                body["headers"] = body.get("headers", {}) | self._headers("X-Request-ID")
        return bodies

    def _raised(self) -> list[exceptions.APIException]:
        errors = [exceptions.APIException(), ServiceUnavailable()]
        if self.method != "GET":
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
        """Makes an example: null for the first field of the request, or no file, since forms have no null."""
        fields = force_instance(self.get_request_serializer()).fields  # type: ignore[no-untyped-call]
        name, field = next((name, field) for name, field in fields.items() if not field.read_only)
        code = "required" if isinstance(field, serializers.FileField) else "null"
        return exceptions.ValidationError({name: [field.error_messages[code]]}, code=code)

    def _error_body(self, errors: list[exceptions.APIException]) -> dict[str, Any]:
        bodies = [ErrorHandler(error, {}).format_exception(error) for error in errors]  # type: ignore[typeddict-item]
        examples = {body["errors"][0]["code"]: {"value": body} for body in bodies}
        names = sorted((code.partition(" ")[2] or VALIDATION for code in examples), key=VALIDATION.__eq__)
        schema = self._component("Error", ResolvedComponent.SCHEMA, ERROR)
        headers = ["Retry-After"] if any(hasattr(error, "wait") for error in errors) else []
        headers += ["WWW-Authenticate"] if errors[0].status_code == 401 else []
        return {
            "description": ", ".join(names),
            "headers": self._headers(*headers),
            "content": {"application/json": {"schema": schema, "examples": examples}},
        }

    def _headers(self, *names: str) -> dict[str, Any]:
        return {name: self._component(name, ResolvedComponent.HEADER, HEADERS[name]) for name in names}

    def _component(self, name: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Returns a reference to it."""
        component = ResolvedComponent(name, kind, deepcopy(content), name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return component.ref


def in_request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def in_response(name: str, value: Any) -> OpenApiExample:
    """For a list, `value` is the entries of a page."""
    return OpenApiExample(name, value, response_only=True)


def status_of(error: exceptions.APIException) -> int:
    return error.status_code
