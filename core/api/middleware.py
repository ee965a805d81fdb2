import re
from collections.abc import Callable
from typing import Any

from corsheaders import middleware as corsheaders
from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.exception import convert_exception_to_response
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.log import log_response
from django.utils.module_loading import import_string
from rest_framework.exceptions import ParseError

from core.api.exception_handler import error_response, reformat
from core.api.exceptions import LengthRequired, RequestTooLarge, ServiceUnavailable
from core.db.postgresql import is_unavailable
from core.log.context import LogContext, log_context, log_request
from core.log.redaction import redact_path

GOOD_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)
LENGTH = re.compile(r"\d{1,19}", re.ASCII)

GetResponse = Callable[[HttpRequest], HttpResponse]


def is_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/admin/")


class RequestMiddleware:
    """Sets the request's id and log context, writes its log line and applies the error format."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if GOOD_REQUEST_ID.fullmatch(given) else ""
        path = redact_path(request.path)
        with log_context(LogContext(request_id, method=request.method or "", path=path)) as context:
            response = self.get_response(request)
            if (
                response.status_code >= 400
                and not response.get("Content-Type", "").startswith("application/json")
                and not is_admin(request)
            ):
                response = reformat(request, response)
            if response.status_code in (204, 304):
                leave_out_length(response)
            response["X-Request-ID"] = context.request_id
            log_request(request, response, context)
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_unavailable(exception) or isinstance(exception, ServiceUnavailable):
            return unavailable(request, exception)
        return None


def leave_out_length(response: HttpResponseBase) -> None:
    """A response without content must not have a Content-Length: RFC 9110, 8.6."""
    del response["Content-Length"]  # set by CommonMiddleware
    # wsgiref (the development server) adds a Content-Length of 0 unless there is at least an empty chunk.
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = [b""]
    else:
        response.write(b"")


def unavailable(request: HttpRequest, exception: Exception) -> HttpResponse:
    response = error_response(ServiceUnavailable())
    log_response(
        "%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=exception
    )
    return response


class LanguageMiddleware(LocaleMiddleware):
    """Django's, without the languages in paths, for which it looks at each path twice."""

    def process_request(self, request: HttpRequest) -> None:
        language = translation.get_language_from_request(request)
        translation.activate(language)
        request.LANGUAGE_CODE = language

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", translation.get_language())
        return response


class CorsMiddleware(corsheaders.CorsMiddleware):
    """For requests without an Origin only the Vary is left, for which the others would parse all headers."""

    def __call__(self, request: HttpRequest) -> Any:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            return super().__call__(request)
        response: Any = self.get_response(request)
        if self.is_enabled(request):
            patch_vary_headers(response, ("origin",))
        return response


def _limit(request: HttpRequest) -> int:
    """Returns the size of the longest body that a page of the admin takes; the comments take files."""
    is_comment = re.fullmatch(r"/api/admin/incidents/incident/\d+/comment/?", request.path_info)
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE + (settings.ATTACHMENT_MAX_BYTES if is_comment else 0)


class BodyMiddleware:
    """Refuses without reading it a body of unknown or malformed length, and one of the admin that is too large."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH")
        if not length:
            # WSGI gives no length for a chunked body, and Django would treat it as empty.
            chunked = "HTTP_TRANSFER_ENCODING" in request.META
            return error_response(LengthRequired()) if chunked else self.get_response(request)
        if not LENGTH.fullmatch(length):
            return error_response(ParseError())
        # The API's parser checks the limit later, after the token and the existence of the incident.
        if is_admin(request) and int(length) > _limit(request):
            return error_response(RequestTooLarge())
        return self.get_response(request)


class AdminMiddleware:
    """Runs ADMIN_MIDDLEWARE around the pages of the admin: clients of the API use tokens, not sessions."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.admin: Any = get_response
        self.process_views: list[Callable[..., HttpResponse | None]] = []
        # As Django's handler loads MIDDLEWARE. The others have no hooks but process_view.
        for name in reversed(settings.ADMIN_MIDDLEWARE):
            middleware = import_string(name)(self.admin)
            if hasattr(middleware, "process_view"):
                self.process_views.insert(0, middleware.process_view)
            self.admin = convert_exception_to_response(middleware)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.admin(request) if is_admin(request) else self.get_response(request)

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponse | None:
        if is_admin(request):
            for process_view in self.process_views:
                if response := process_view(request, *args):
                    return response
        return None


class AdminSessionMiddleware(SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        # A malformed key is no session. PostgreSQL would raise an error for a NUL in it.
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if not (key.isascii() and key.isalnum()):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except SessionInterrupted:
            # Logged out meanwhile in another tab, or the database is read-only: what the view did is done.
            return response
        except (DatabaseError, InterfaceError) as exc:  # the session is saved here, after the view
            if not is_unavailable(exc):
                raise
            return unavailable(request, exc)
