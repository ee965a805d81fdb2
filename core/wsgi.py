from typing import Any

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """
    A request in UTF-8, whatever charset its Content-Type names.

    JSON and URL-encoded forms know no such parameter (RFC 8259, 11; https://url.spec.whatwg.org/#urlencoded-parsing),
    and Django would decode the query with whatever codec Python has under that name.
    """

    encoding = property(lambda self: None, lambda self, charset: None)  # None is UTF-8

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (BadRequest, LookupError, ValueError):
            # Only Content-Type is parsed here. A body of unknown type is this one: RFC 9110, 8.3.
            super().__init__(environ | {"CONTENT_TYPE": "application/octet-stream"})


class Handler(WSGIHandler):
    request_class = Request
