"""Parts of a file: RFC 9110, 14."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException

RANGE = re.compile(r"bytes\s*=\s*(\d{1,18})?\s*-\s*(\d{1,18})?\s*", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiable(APIException):
    status_code = status.HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE
    default_detail = _("The file has no such part.")
    default_code = "range_not_satisfiable"


def requested_range(environ: Mapping[str, Any], size: int, etag: str) -> range | None:
    """
    Returns the bytes that a GET asks for, None for all of them. Raises RangeNotSatisfiable.

    Several ranges are answered with the whole, as the RFC allows, and so is a range of another version (If-Range).
    """
    found = RANGE.fullmatch(environ.get("HTTP_RANGE", "").strip())
    if found is None or found[1] is found[2] is None or environ.get("HTTP_IF_RANGE", etag) != etag:
        return None
    first, last = found[1], found[2]
    if first is None:  # the last bytes
        wanted = range(max(0, size - int(last)), size)
    elif last is not None and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), size if last is None else min(int(last) + 1, size))
    if not wanted:
        raise RangeNotSatisfiable
    return wanted
