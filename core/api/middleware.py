import re
from collections.abc import Callable

from corsheaders import middleware as cors
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware import locale
from django.template.response import SimpleTemplateResponse
from django.urls import resolve
from django.utils.log import log_response
from django.utils.translation import activate

from core.api.exception_handler import error_response, reformat
from core.api.exceptions import LengthRequired, ServiceUnavailable
from core.db.postgresql import DOWN
from core.log.context import LogContext, log_context, log_request

GOOD_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)


class RequestMiddleware:
    """Names the request, logs it when it is done, and keeps every error in the one format."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if GOOD_REQUEST_ID.fullmatch(given) else ""
        with log_context(LogContext(request_id, method=request.method or "", path=request.path)) as context:
            response = self._answer(request)
            if (
                response.status_code >= 400
                and not response.get("Content-Type", "").startswith("application/json")
                and not request.path_info.startswith("/api/admin/")
            ):
                response = reformat(response)
            response["X-Request-ID"] = context.request_id
            log_request(request, response, context)
            return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        # WSGI has no length for a chunked body: Django would take it for an empty one.
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return error_response(LengthRequired())
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (*DOWN, ServiceUnavailable)):
            return None
        response = error_response(ServiceUnavailable())
        log_response(
            "%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=exception
        )
        return response


class CorsMiddleware(cors.CorsMiddleware):
    """Its own, where a browser names an origin."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_ORIGIN" in request.META:
            return super().__call__(request)  # type: ignore[return-value]  # not in an asynchronous server
        return self.get_response(request)  # type: ignore[return-value]


class LocaleMiddleware(locale.LocaleMiddleware):
    """Django's, where it has something to find out: programs seldom name a language."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_ACCEPT_LANGUAGE" in request.META or "HTTP_COOKIE" in request.META:
            return super().__call__(request)  # type: ignore[return-value]
        activate(settings.LANGUAGE_CODE)
        return self.get_response(request)  # type: ignore[return-value]


class ApiMiddleware:
    """A request to the API goes to its view at once: no session, CSRF token or message is for a token's bearer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith("/api/") or path.startswith("/api/admin/"):
            return self.get_response(request)
        request.get_host()  # raises DisallowedHost
        request.resolver_match = view, args, kwargs = resolve(path)
        response = view(request, *args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        response["Content-Length"] = str(len(response.content))
        return response
