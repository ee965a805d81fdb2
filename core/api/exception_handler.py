"""The error format of every response under /api/ that is not a success."""

from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_standardized_errors.formatter import ExceptionFormatter, flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error
from rest_framework import exceptions
from rest_framework.settings import api_settings

from core.api.exceptions import (
    LengthRequired,
    PreconditionFailed,
    RequestTooLarge,
    ServiceUnavailable,
)
from core.db.postgresql import is_unavailable

BY_STATUS: dict[int, type[exceptions.APIException]] = {
    exc.status_code: exc
    for exc in (
        exceptions.ParseError,
        exceptions.NotAuthenticated,
        exceptions.PermissionDenied,
        exceptions.NotFound,
        exceptions.MethodNotAllowed,
        LengthRequired,
        PreconditionFailed,
        RequestTooLarge,
        exceptions.UnsupportedMediaType,
        exceptions.Throttled,
        exceptions.APIException,
        ServiceUnavailable,
    )
}


class ErrorHandler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if is_unavailable(exc):
            return ServiceUnavailable()
        if isinstance(exc, SuspiciousOperation):  # for example more than a thousand query parameters
            return exceptions.ParseError()
        return super().convert_known_exceptions(exc)


class ErrorFormatter(ExceptionFormatter):
    def get_errors(self) -> list[Error]:
        exc = self.exc
        if isinstance(exc, exceptions.ValidationError):
            faults = exc.detail if isinstance(exc.detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: exc.detail}
            # One by one: of all together the time grows with the square of their number, to minutes for the misspelt
            # fields of a body of 2.5 MB.
            return [error for attr, detail in faults.items() for error in flatten_errors(detail, attr)]
        # simplejwt's detail is a dict of detail, code and messages.
        detail: Any = exc.detail["detail"] if isinstance(exc.detail, dict) else exc.detail
        code = exc.detail["code"] if isinstance(exc.detail, dict) else exc.get_codes()
        return [Error(f"{exc.status_code} {code}", str(detail), None)]


def error_response(exc: exceptions.APIException) -> HttpResponse:
    """Returns the response to `exc` outside REST framework's views."""
    handler = ErrorHandler(exc, {})  # type: ignore[typeddict-item]  # outside a view
    content = orjson.dumps(handler.format_exception(exc))
    headers = handler.get_headers(exc) | {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return HttpResponse(content, status=exc.status_code, headers=headers)


def reformat(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    """Replaces an HTML error page of Django, debug pages included, with the error format."""
    status = HTTPStatus(response.status_code)
    known = BY_STATUS.get(status)
    exc = exceptions.APIException(
        str(known.default_detail).format(method=request.method, media_type=request.content_type)
        if known
        else status.phrase,
        known.default_code if known else status.phrase.lower().replace(" ", "_"),
    )
    exc.status_code = status
    formatted = error_response(exc)
    for name, value in response.items():
        if name not in ("Content-Type", "Content-Length"):
            formatted[name] = value
    formatted.cookies = response.cookies
    return formatted
