"""Timestamps as RFC 3339 writes them."""

import re
from datetime import UTC, datetime, timedelta

# Section 5.6: T and Z may be lower case, and a space may stand in place of the T.
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


def parse_timestamp(text: str) -> datetime:
    """
    Returns the timestamp in UTC. Raises ValueError unless it is RFC 3339, OverflowError outside the years 1 to 9999.

    Fractions of a microsecond are rounded up, so that comparisons with >= and < stay exact. A leap second is the second
    after it.
    """
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise ValueError("not an RFC 3339 timestamp")
    day, hour, minute, second, fraction, offset = match.groups()
    fraction = (fraction or "").ljust(6, "0")
    leap = second == "60"
    second = "59" if leap else second
    local = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}.{fraction[:6]}{offset.upper()}")
    timestamp = local.astimezone(UTC) + timedelta(seconds=leap) + _MICROSECOND * bool(fraction[6:].strip("0"))
    if leap and (timestamp.hour, timestamp.minute, timestamp.second) != (0, 0, 0):
        raise ValueError("a leap second is the last one of a day in UTC")
    return timestamp


def parse_date(text: str) -> datetime:
    """Returns midnight of the date in UTC. Raises ValueError."""
    if not _DATE.fullmatch(text):
        raise ValueError("not an RFC 3339 date")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
