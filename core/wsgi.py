from typing import Any

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """
    A request that is decoded as UTF-8, whatever charset its Content-Type names.

    JSON and URL-encoded forms have no such parameter (RFC 8259, 11; https://url.spec.whatwg.org/#urlencoded-parsing),
    and Django would decode even the query string with any Python codec of that name.
    """

    encoding = property(lambda self: None, lambda self, charset: None)  # None is UTF-8

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (BadRequest, LookupError, ValueError):
            # Only Content-Type is parsed here. The type of an unknown body: RFC 9110, 8.3.
            super().__init__(environ | {"CONTENT_TYPE": "application/octet-stream"})


class Handler(WSGIHandler):
    request_class = Request
