"""A body of multipart/form-data with a file: spooled to the disk as it comes, and never larger than allowed."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from core.api.exceptions import RequestTooLarge

OVERHEAD = 16 * 1024  # bytes: boundaries and headers around the file


class _Body:
    """Counts what is read. The headers of the first part, which has the file, become UTF-8."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.size = stream, 0

    def read(self, size: int) -> bytes:
        data: bytes = self.stream.read(size)
        is_first = not self.size
        self.size += len(data)
        if is_first:
            # On Windows curl writes a file's name in the code page of the system: Django would skip the header.
            headers, end, rest = data.partition(b"\r\n\r\n")
            data = headers.decode("utf-8", "replace").encode() + end + rest
        return data


class UploadParser(MultiPartParser):
    """Takes one file of at most ATTACHMENT_MAX_BYTES."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises UnsupportedMediaType, RequestTooLarge, and ParseError, for a body that was cut off too."""
        context = dict(parser_context or {}, encoding="utf-8")  # whatever charset is named: some decode no text
        request: Request = context["request"]
        coding = request.META.get("HTTP_CONTENT_ENCODING", "").strip()
        if coding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(coding, _("Send the body without a Content-Encoding."))
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > settings.ATTACHMENT_MAX_BYTES + OVERHEAD:
            raise RequestTooLarge
        # The settings have none: elsewhere files are discarded.
        request.upload_handlers = [MemoryFileUploadHandler(request), TemporaryFileUploadHandler(request)]
        body: Any = _Body(stream)
        # Django knows the type in lower case alone.
        kind, _semicolon, parameters = (media_type or "").partition(";")
        try:
            found: Any = super().parse(body, f"{kind.lower()};{parameters}", context)
        except RequestDataTooBig:  # of fields that are no file
            raise RequestTooLarge from None
        except UnreadablePostError:
            raise ParseError from None
        # Django takes what came of a file for the whole.
        if body.size < length:
            raise ParseError
        if any((file.size or 0) > settings.ATTACHMENT_MAX_BYTES for file in found.files.values()):
            raise RequestTooLarge
        return found
