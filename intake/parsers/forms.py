"""Forms as objects: application/x-www-form-urlencoded, multipart/form-data."""

import io
import re
from collections.abc import Iterable
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.http import parse_header_parameters

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_FIELDS = 1_000
# The charsets of old systems, which they name. Not any codec of Python: some take hours.
_LEGACY = re.compile(r"(?:windows-|cp)125\d|iso-8859-\d{1,2}|koi8-[ru]", re.IGNORECASE)

type Fields = dict[str, str | list[str]]


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in (URLENCODED, MULTIPART)


def read(body: bytes, content_type: str) -> tuple[Fields, int]:
    """
    Returns the fields of a form, a list where one is repeated, and the number of its files, which are left out.

    Raises ValueError if it has no fields, more than MAX_FIELDS, or more text than DATA_UPLOAD_MAX_MEMORY_SIZE.
    """
    kind, parameters = parse_header_parameters(content_type)
    pairs, files = _multipart(body, content_type) if kind == MULTIPART else (_urlencoded(body), 0)
    fields: Fields = {}
    for name, raw in pairs:
        value = _decode(raw, parameters.get("charset", ""))
        match fields.get(name):
            case None:
                fields[name] = value
            case list(values):
                values.append(value)
            case first:
                fields[name] = [first, value]
    if not fields:
        raise ValueError("no fields")
    return fields, files


def _urlencoded(body: bytes) -> Iterable[tuple[str, bytes]]:
    if b"=" not in body or len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise ValueError("no form, or too large")
    # Latin-1 is a way to have the bytes back, which are decoded later.
    text = body.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
    return ((_decode(name.encode("latin-1")), value.encode("latin-1")) for name, value in pairs)


def _multipart(body: bytes, content_type: str) -> tuple[Iterable[tuple[str, bytes]], int]:
    files = _Files()
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    try:
        fields, _files = MultiPartParser(meta, io.BytesIO(body), [files], "latin-1").parse()
    except (MultiPartParserError, SuspiciousOperation) as exc:  # no boundary; too many fields, too much text
        raise ValueError(str(exc)) from None
    pairs = ((name, value.encode("latin-1")) for name, values in fields.lists() for value in values)
    return pairs, files.count


def _decode(raw: bytes, charset: str = "") -> str:
    """Decodes UTF-8, which browsers use whatever they name; otherwise the charset that was named."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(charset if _LEGACY.fullmatch(charset) else "utf-8", "replace")
    except LookupError:  # windows-1259
        return raw.decode("utf-8", "replace")


class _Files(FileUploadHandler):
    """Leaves out files."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.count += 1
        raise SkipFile
