"""What a file is, by its first bytes, and what it may be called."""

import hashlib
import re
import unicodedata
from typing import Any, NamedTuple

import filetype
from django.core.files import File

from incidents.models import Attachment

NAME_MAX_LENGTH = 255
SUFFIX_MAX_LENGTH = 20
HEAD = 8192  # bytes: what `filetype` looks at
# Control and format characters, such as marks of direction, lone surrogates, line and paragraph separators
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
BINARY, TEXT = "application/octet-stream", "text/plain"


def content_type(head: bytes) -> str:
    """
    Returns the media type of a file with these first bytes.

    It is that of a binary format or `text/plain`: HTML and SVG are text too, which no browser is told to render.
    """
    if found := filetype.guess_mime(head):
        return found
    try:
        head.decode()
    except UnicodeDecodeError as exc:
        # The last character may be cut.
        if exc.start < len(head) - 3:
            return BINARY
    return BINARY if b"\0" in head else TEXT


def kind_of(media_type: str) -> Attachment.Kind:
    kinds = {"image": Attachment.Kind.PHOTO, "video": Attachment.Kind.VIDEO, "audio": Attachment.Kind.AUDIO}
    return kinds.get(media_type.partition("/")[0], Attachment.Kind.FILE)


def clean_name(name: str, default: str = "file") -> str:
    """Returns the last part of a path without characters that people do not see, and short enough."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(char for char in name if char in "\t\n" or unicodedata.category(char) not in HIDDEN)
    name = " ".join(name.split())
    if not name.strip("."):
        return default
    if len(name) > NAME_MAX_LENGTH:
        stem, dot, suffix = name.rpartition(".")
        end = dot + suffix if stem and len(suffix) <= SUFFIX_MAX_LENGTH else ""
        name = name[: NAME_MAX_LENGTH - len(end)] + end
    return name


class Content(NamedTuple):
    """What a file has in it."""

    size: int
    sha256: str
    type: str


def read_content(file: "File[Any]") -> Content:
    """Reads the file in pieces, once."""
    digest, size, head = hashlib.sha256(), 0, b""
    file.seek(0)
    for chunk in file.chunks():
        head += chunk[: HEAD - len(head)]
        digest.update(chunk)
        size += len(chunk)
    file.seek(0)
    return Content(size, digest.hexdigest(), content_type(head))
