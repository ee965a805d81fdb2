"""Hostile JSON values as texts, links, timestamps and fingerprints that can be stored and shown."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank
from intake.parsers.placeholders import identifies

FINGERPRINT_MAX_LENGTH = 200
LINK_MAX_LENGTH = 2_000
CUT = "\n[…]"

# PostgreSQL stores no NUL, UTF-8 has no lone surrogates.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NOT_IN_LINKS = re.compile('[\0-\x20\x7f<>"\ud800-\udfff]')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: Any) -> str:
    """Converts the value to text, so that 7, 7.0 and "7" are equal. Null, and what cannot be converted, is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (RecursionError, ValueError):  # too deep, or an integer of more digits than Python converts
        return ""


def describe(lines: Iterable[str], *, fallback: str) -> str:
    """Returns the lines as a valid description: never blank, cut with a visible mark if too long."""
    shown = "\n".join(line for line in lines if not is_blank(line)).strip()
    description = _UNSTORABLE.sub("\ufffd", shown) or fallback
    if len(description) > DESCRIPTION_MAX_LENGTH:
        description = description[: DESCRIPTION_MAX_LENGTH - len(CUT)] + CUT
    return description


def link(value: Any) -> str:
    """
    Returns the value if it is an http(s) URL of at most 2,000 characters without credentials, otherwise "".

    Django's URLValidator is not used: it rejects hosts without a dot, such as http://prometheus:9090.
    """
    url = value.strip() if isinstance(value, str) else ""
    if not url or len(url) > LINK_MAX_LENGTH or _NOT_IN_LINKS.search(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:  # an invalid IPv6 address
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else ""


def timestamp(value: Any) -> datetime | None:
    """
    Returns an RFC 3339 timestamp in UTC, cut to microseconds. Without an offset it is taken to be in UTC.

    None if it is invalid or out of range, and for the zero values of Go (year 1) and Unix (1970).
    """
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        at = datetime.fromisoformat(value.strip().upper())
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if at > _EPOCH else None


def fingerprint(value: Any) -> str | None:
    """Makes the value a fingerprint: a digest if it is too long or cannot be stored, None if it identifies nothing."""
    if value in ({}, []) or (isinstance(value, float) and not isfinite(value)):
        return None
    identity = text(value).strip()
    if is_blank(identity) or not identifies(identity):
        return None
    if len(identity) > FINGERPRINT_MAX_LENGTH or _UNSTORABLE.search(identity):
        return _digest(identity)
    return identity


def fingerprint_of_labels(labels: Mapping[str, Any]) -> str | None:
    """Makes a digest of the labels, independent of their order; None if there are none."""
    return _digest(json.dumps(sorted((key, text(value)) for key, value in labels.items()))) if labels else None


def _digest(identity: str) -> str:
    return "sha256:" + sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
