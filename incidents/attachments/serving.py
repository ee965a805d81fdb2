"""The bytes of an attachment. No browser runs what a stranger has sent: the page of a file has no rights."""

import logging
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.encoding import filepath_to_uri
from django.utils.http import content_disposition_header

from core.api.exceptions import ServiceUnavailable
from incidents.models import attachment_storage

logger = logging.getLogger(__name__)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-cache",
}


class Part:
    """A file from where it stands, `left` bytes long."""

    def __init__(self, file: Any, left: int) -> None:
        self.file, self.left, self.close = file, left, file.close

    def read(self, size: int) -> bytes:
        data: bytes = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data


def response(
    name: str,
    *,
    size: int | None = None,
    content_type: str,
    filename: str,
    inline: bool = False,
    wanted: range | None = None,
) -> HttpResponseBase:
    """
    Sends the file of the storage with that name, or the `wanted` bytes of it. Without a size the storage says it.

    Behind nginx (ATTACHMENT_X_ACCEL) it is nginx that sends the bytes, and knows ranges. Raises ServiceUnavailable if
    the storage does not give the file.
    """
    if settings.ATTACHMENT_X_ACCEL:
        sent: HttpResponseBase = HttpResponse(content_type=content_type)
        sent["Content-Disposition"] = content_disposition_header(not inline, filename) or "inline"
        sent["X-Accel-Redirect"] = settings.ATTACHMENT_X_ACCEL + filepath_to_uri(name)
    else:
        try:
            file = attachment_storage().open(name)
            part = wanted or range(file.size if size is None else size)
            if wanted and hasattr(file, "obj"):
                # django-storages would get the whole object from S3.
                file = file.obj.get(Range=f"bytes={part.start}-{part.stop - 1}")["Body"]
            else:
                file.seek(part.start)
        except Exception:  # each storage has its own
            logger.exception("The file %s cannot be read", name)
            raise ServiceUnavailable from None
        sent = FileResponse(
            Part(file, len(part)), as_attachment=not inline, filename=filename, content_type=content_type
        )
        sent["Content-Length"] = str(len(part))
        sent["Accept-Ranges"] = "bytes"  # nginx says so itself
        if wanted:
            sent.status_code = 206
            sent["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    for header, value in HEADERS.items():
        sent[header] = value
    return sent
