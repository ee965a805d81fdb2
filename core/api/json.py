"""JSON parser and renderer on orjson. `Accept` is ignored: every response is JSON."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from core.api.exceptions import RequestTooLarge

# Timestamps in UTC, in whole seconds, with a Z. Naive ones come from core.db.postgresql.fetch and are UTC.
OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NAIVE_UTC


def _default(value: Any) -> Any:
    if isinstance(value, (Promise, Decimal, UUID)):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value)} is not JSON")


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, _default, OPTIONS)


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        request: Request = (parser_context or {})["request"]
        coding = request.META.get("HTTP_CONTENT_ENCODING", "").strip()
        if coding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(coding, _("Send the body without a Content-Encoding."))
        if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
            raise RequestTooLarge
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as exc:
            raise ParseError(f"JSON parse error - {exc}") from None


class JSONNegotiation(DefaultContentNegotiation):
    def select_parser(self, request: Request, parsers: Any) -> Any:
        # What nearly all clients send need not be parsed.
        exact = (parser for parser in parsers if parser.media_type == request.content_type)
        return next(exact, None) or super().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
