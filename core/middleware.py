import re
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from core.errors import error_response, is_database_down, reformat
from core.exceptions import ServiceUnavailable
from core.logging import RequestContext, log_request, request_context

GOOD_REQUEST_ID = re.compile(r"[\w.:@/+=-]{1,128}", re.ASCII)


class RequestMiddleware:
    """Names the request, logs it when it is done, and keeps every error in the one format."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        context = RequestContext(given if GOOD_REQUEST_ID.fullmatch(given) else uuid4().hex)
        token = request_context.set(context)
        try:
            response = self.get_response(request)
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

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return error_response(ServiceUnavailable()) if is_database_down(exception) else None
