"""
Reads the body of a call: JSON, if necessary a second time with repairs for what careless templates produce, or a form.

What is larger than MAX_WHOLE_SIZE is read piece by piece.
"""

import io
import json
import re
from typing import Any

from intake.parsers import Format, forms, streaming
from intake.parsers.types import Notice, Reason

MAX_WHOLE_SIZE = 256 * 1024  # bytes; their objects take 26 times as much at most
MAX_CHECKED_REPAIR_SIZE = 2_621_440  # bytes that a request repairs; the jobs repair all

# Also at the beginning of JSON with a byte order mark, and in UTF-16 and UTF-32
_JSON_BEGINS = re.compile(rb"[\s\0\xef\xbb\xbf\xff\xfe]*+[{\[]")
# A string, or in place of a value an unquoted placeholder, such as Zabbix's {EVENT.TAGSJSON} and *UNKNOWN*, or one of
# Python's numbers that JSON does not have. The possessive quantifiers and the optional closing quote keep it linear.
_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|(?P<bare>\{[$#]?[A-Z][A-Z0-9_.]*\}|\*UNKNOWN\*|\bNaN\b|-?\bInfinity\b)', re.DOTALL
)
_VALID = re.compile(r'(?:[^\\\0-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')


class UnreadableError(ValueError):
    """The body is not JSON (Reason.UNREADABLE), not an object (Reason.NOT_AN_OBJECT), or a form without a report."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.label)
        self.reason = reason


def read(body: bytes, content_type: str = "", kind: str = Format.GENERIC) -> tuple[dict[str, Any], list[Notice]]:
    """
    Returns the object in the body, and a notice of each thing that was repaired or left out. Raises UnreadableError.

    In a large call of Alertmanager `alerts` is an iterator. The repairs: raw control characters in strings, invalid
    escapes, unquoted placeholders, invalid UTF-8. Forms are for the generic format; for another one a form may have
    the object in its only field, as GitHub's `payload` and Uptime Kuma's `data`.
    """
    if is_form(body, content_type):
        return _read_form(body, content_type, kind)
    notices = []
    try:
        payload, is_cut = _load(body, kind)
    except RecursionError:
        raise UnreadableError(Reason.UNREADABLE) from None
    except ValueError:
        notices.append(Notice(Reason.REPAIRED))
        try:
            payload, is_cut = _load(_repair(body), kind)
        except (RecursionError, ValueError):
            raise UnreadableError(Reason.UNREADABLE) from None
    if not isinstance(payload, dict):
        raise UnreadableError(Reason.NOT_AN_OBJECT)
    if is_cut:
        notices.append(Notice(Reason.CUT, str(streaming.MAX_VALUES)))
    return payload, notices


def check(body: bytes, content_type: str, kind: str) -> None:
    """Raises UnreadableError where `read` does, in little memory: of a large body nothing is built."""
    if len(body) <= MAX_WHOLE_SIZE or is_form(body, content_type):
        read(body, content_type, kind)
        return
    try:
        try:
            is_object = streaming.is_object(_utf8(body))
        except ValueError:
            if len(body) > MAX_CHECKED_REPAIR_SIZE:
                raise
            is_object = streaming.is_object(_repair(body))
    except (RecursionError, ValueError):
        raise UnreadableError(Reason.UNREADABLE) from None
    if not is_object:
        raise UnreadableError(Reason.NOT_AN_OBJECT)


def is_form(body: bytes, content_type: str) -> bool:
    """Returns whether it is to be read as a form. `curl -d '{…}'` names the type of a form, and sends JSON."""
    return forms.is_form(content_type) and not _JSON_BEGINS.match(body)


def _read_form(body: bytes, content_type: str, kind: str) -> tuple[dict[str, Any], list[Notice]]:
    try:
        fields, files = forms.read(body, content_type)
    except ValueError:
        raise UnreadableError(Reason.FORM) from None
    notices = [Notice(Reason.FILES, str(files))] if files else []
    if kind == Format.GENERIC:
        return dict(fields), notices
    match list(fields.values()):
        case [str(value)]:
            payload, more = read(value.encode("utf-8", "replace"), kind=kind)
            return payload, notices + more
    raise UnreadableError(Reason.UNREADABLE)


def _load(body: bytes, kind: str) -> tuple[Any, bool]:
    """Returns the value, and whether a part of it was left out. Raises ValueError, RecursionError."""
    if len(body) <= MAX_WHOLE_SIZE:
        return json.loads(body), False
    return streaming.read(_utf8(body), lazy="alerts" if kind == Format.ALERTMANAGER else "")


def _utf8(body: bytes) -> bytes:
    """Returns the JSON without a byte order mark. Raises ValueError."""
    encoding = json.detect_encoding(body)
    return body if encoding == "utf-8" else body.decode(encoding).encode()


def _repair(body: bytes) -> bytes:
    text = body.decode("utf-8-sig", "replace")
    repaired, end = io.BytesIO(), 0
    for token in _TOKEN.finditer(text):
        repaired.write(text[end : token.start()].encode())
        end = token.end()
        if token["bare"]:
            repaired.write(f'"{token["bare"]}"'.encode())
        else:
            _repair_string(text, token.start(), end, repaired)
    repaired.write(text[end:].encode())
    return repaired.getvalue()


def _repair_string(text: str, start: int, end: int, repaired: io.BytesIO) -> None:
    while start < end:
        valid = _VALID.match(text, start, end)
        if valid:
            repaired.write(valid[0].encode())
            start = valid.end()
        if start < end:
            repaired.write(b"\\\\" if text[start] == "\\" else f"\\u{ord(text[start]):04x}".encode())
            start += 1
