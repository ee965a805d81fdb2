from datetime import UTC, datetime

import pytest

from intake.parsers import values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-15T10:30:00Z", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024-01-15t10:30:00z", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024-01-15T10:30:00+14:00", datetime(2024, 1, 14, 20, 30, tzinfo=UTC)),
        ("2024-01-15T10:30:00-09:30", datetime(2024, 1, 15, 20, tzinfo=UTC)),
        ("2024-01-15T10:30:00.123456789Z", datetime(2024, 1, 15, 10, 30, 0, 123456, UTC)),
        ("2023-09-16 10:41:24.905", datetime(2023, 9, 16, 10, 41, 24, 905000, UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T02:30:17+02:30:17", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("2024-02-30T00:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1705314600, None),
        (["2024-01-15T10:30:00Z"], None),
        ("2" * 1_000_000, None),
    ],
)
def test_timestamps(value, expected):
    assert values.timestamp(value) == expected


@pytest.mark.parametrize(
    "url",
    ["http://localhost:3000/alerting", "https://prometheus/graph?g0.expr=up", "HTTPS://example.org", "http://[::1]/"],
)
def test_links(url):
    assert values.link(f" {url} ") == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "//example.org",
        "/graph",
        "https://",
        "http://user:secret@example.org/",
        "http://example.org/\nX: y",
        'http://example.org/"onclick="x',
        "http://[",
        "http://example.org/" + "x" * 1982,
        "",
        None,
        7,
        {"href": "http://example.org"},
    ],
)
def test_no_links(url):
    assert values.link(url) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        ("7", "7"),
        (7.0, "7"),
        (" 7 ", "7"),
        (7.5, "7.5"),
        (0, "0"),
        (True, "true"),
        ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'),
        ("{6B29FC40-CA47-1067-B31D-00DD010662DA}", "{6B29FC40-CA47-1067-B31D-00DD010662DA}"),
        ("x" * 200, "x" * 200),
    ],
)
def test_fingerprints(value, expected):
    assert values.fingerprint(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " \n",
        "\u200b\ufeff",
        "{EVENT.ID}",
        "zabbix-{EVENT.ID}",
        "{EVENT.TAGS.host}",
        "{$DEDUP}",
        "{#ID}",
        "*UNKNOWN*",
        "*monitorID*",
        "$CODE",
        "{{ alert.id }}",
        *("null", "None", "<no value>", {}, [], float("nan")),
        pytest.param(10**5000, id="more digits than Python converts"),
    ],
)
def test_no_fingerprint(value):
    assert values.fingerprint(value) is None


@pytest.mark.parametrize("value", ["x" * 201, "a\0b", "a\ud800b"])
def test_unstorable_fingerprint_is_a_digest(value):
    digest = values.fingerprint(value)
    assert digest == values.fingerprint(value) != values.fingerprint(value + "x")
    assert digest.startswith("sha256:")
    assert len(digest) == 71


@pytest.mark.parametrize("lines", [[], [""], [" \n"], ["\u200b"], ["\ufeff", "\u2060\u00ad"], ["\0"]])
def test_description_of_nothing_visible(lines):
    assert values.describe(lines, fallback="F") == "F"
    assert values.describe([*lines, "x"], fallback="F") == "x"


def test_exactly_the_limit_is_not_cut():
    assert values.describe(["x" * 20_000], fallback="?") == "x" * 20_000
