"""Reads JSON that others wrote: each function returns the type that its name says, whatever the value is."""

import re
from datetime import UTC, datetime
from typing import Any

Fields = dict[str, Any]

_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
_MAX_TIMESTAMP = 2**32  # Telegram's timestamps have 32 bits


def dictionary(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def string(value: object) -> str:
    """Text that both databases store: NUL shows as U+2400, a lone surrogate as U+FFFD."""
    if not isinstance(value, str):
        return ""
    if _NOT_STORABLE.search(value):
        value = value.replace("\0", "\u2400").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def line(value: object) -> str:
    """Text on one line, such as a name."""
    return " ".join(string(value).split())


def integer(value: object) -> int | None:
    """An integer of at most 64 bits: what the databases hold."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return None


def timestamp(value: object) -> datetime | None:
    """From seconds since 1970; 0 stands for no time."""
    seconds = integer(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 < seconds < _MAX_TIMESTAMP else None


def shortened(text: str, limit: int, mark: str = "…") -> str:
    return text if len(text) <= limit else text[: limit - len(mark)].rstrip() + mark
