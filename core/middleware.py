import re
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response

from core.database import DOWN
from core.errors import error_response, reformat
from core.exceptions import LengthRequired, ServiceUnavailable
from core.logging import RequestContext, log_request, request_context

GOOD_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)


class RequestMiddleware:
    """Names the request, logs it when it is done, and keeps every error in the one format."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if GOOD_REQUEST_ID.fullmatch(given) else uuid4().hex
        context = RequestContext(request_id, request.method or "", request.path)
        token = request_context.set(context)
        try:
            response = self._answer(request)
            if (
                response.status_code >= 400
                and not response["Content-Type"].startswith("application/json")
                and not request.path_info.startswith("/api/admin/")
            ):
                reformat(response)
            response["X-Request-ID"] = context.request_id
            log_request(request, response, context)
            return response
        finally:
            request_context.reset(token)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        # WSGI has no length for a chunked body: Django would take it for an empty one.
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return error_response(LengthRequired())
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DOWN):
            return None
        response = error_response(ServiceUnavailable())
        log_response(
            "%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=exception
        )
        return response
