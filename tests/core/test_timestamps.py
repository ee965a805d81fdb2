from datetime import UTC, datetime

import pytest

from core.timestamps import parse_date, parse_timestamp

NOON = datetime(2024, 1, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-15T12:00:00Z", NOON),
        ("2024-01-15t12:00:00z", NOON),
        ("2024-01-15 12:00:00Z", NOON),
        ("2024-01-15T15:00:00+03:00", NOON),
        ("2024-01-15T02:15:00-09:45", NOON),
        ("2024-01-16T11:59:00+23:59", NOON),
        ("2024-01-15T12:00:00-00:00", NOON),
        ("2024-01-15T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2024-01-15T12:00:00.123456Z", NOON.replace(microsecond=123_456)),
        ("2024-01-15T12:00:00.123456000Z", NOON.replace(microsecond=123_456)),
        ("2024-01-15T12:00:00.123456001Z", NOON.replace(microsecond=123_457)),
        ("2024-01-15T11:59:59.9999999Z", NOON),
        ("2024-01-15T12:00:00." + "0" * 50 + "Z", NOON),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_rfc_3339_is_read(text, expected):
    assert parse_timestamp(text) == expected
    assert parse_timestamp(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240115T120000Z",
        "2024-01-15",
        "2024-01-15T12Z",
        "2024-01-15T12:00Z",
        "2024-01-15T12:00:00",
        "2024-01-15T12:00:00+03",
        "2024-01-15T12:00:00+0300",
        "2024-01-15T12:00:00 03:00",
        "2024-01-15T12:00:00+03:00:00",
        "2024-01-15T12:00:00+24:00",
        "2024-01-15T12:00:00+03:60",
        "2024-01-15T12:00:00,5Z",
        "2024-01-15T12:00:00.Z",
        "2024-01-15T12:00:60Z",
        "2024-01-15T12:00:61Z",
        "2024-01-15T12:60:00Z",
        "2024-01-15T24:00:00Z",
        "2024-01-15_12:00:00Z",
        "2024-01-15T12:00:00Z ",
        " 2024-01-15T12:00:00Z",
        "2024-01-15T12:00:00Z\n",
        "2024-02-30T12:00:00Z",
        "2024-13-01T12:00:00Z",
        "2024-1-5T12:00:00Z",
        "24-01-15T12:00:00Z",
        "02024-01-15T12:00:00Z",
        "+2024-01-15T12:00:00Z",
        "2024-W03-1T12:00:00Z",
        "2024-015T12:00:00Z",
        "٢٠٢٤-01-15T12:00:00Z",
        "2024-01-15T12:00:00−03:00",
        "now",
    ],
)
def test_malformed_timestamp_is_refused(text):
    with pytest.raises(ValueError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    "text", ["20240115", "2024-W03-1", "2024-1-5", "2024-015", "2024-01", "2024-02-30", "2024-01-15\n", "٢٠٢٤-01-15"]
)
def test_malformed_date_is_refused(text):
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z"])
def test_timestamp_outside_the_years_1_to_9999(text):
    with pytest.raises(OverflowError):
        parse_timestamp(text)
