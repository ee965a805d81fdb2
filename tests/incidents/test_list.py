from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest

from incidents.models import Incident
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def add(count=1, start=START, **values):
    values = {"description": "Самокат не в сети", "source": "operator", "status": "open"} | values
    timestamps = [start + timedelta(minutes=number) for number in range(count)]
    return Incident.objects.bulk_create([Incident(created_at=at, updated_at=at, **values) for at in timestamps])


def ids(api, query=""):
    response = api.get(URL + query)
    assert response.status_code == 200, response.content
    body = response.json()
    assert body["count"] == len(body["results"]) or body["next"] or body["previous"]
    return [row["id"] for row in body["results"]]


def test_an_empty_list(api):
    assert api.get(URL).json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_newest_first_ties_by_id(api):
    rows = add(3) + add(2, START + timedelta(minutes=2))
    expected = sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)
    assert ids(api) == [row.pk for row in expected]


def test_pages(api):
    add(250)
    first = api.get(URL).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (250, 100, None)
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()
    assert (len(third["results"]), third["next"]) == (50, None)
    assert api.get(third["previous"]).json() == second
    assert api.get(second["previous"]).json() == first
    seen = [row["id"] for page in (first, second, third) for row in page["results"]]
    assert len(set(seen)) == 250


def test_links_keep_the_filters(api):
    add(3)
    link = api.get(f"{URL}?status=open,closed&page_size=1&page=2&search=само").json()["next"]
    assert urlsplit(link).query.count("page=3") == 1
    assert api.get(link).json()["count"] == 3


@pytest.mark.parametrize("page", ["4", "0", "-1", "abc", "", "1.0", "last", "٢", "9" * 30, "9" * 5000, "+1"])
def test_a_missing_page_is_404(api, page):
    add(3)
    response = api.get(URL, {"page": page, "page_size": 1})
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


@pytest.mark.parametrize("size", ["0", "1001", "-5", "abc", "", "1.5", "9" * 5000])
def test_an_invalid_page_size(api, size):
    assert errors(api.get(URL, {"page_size": size})) == [("invalid", "page_size")]


def test_every_fault_of_a_query_is_named(api):
    names = ("source", "urgent", "created_after", "updated_before", "search", "ordering", "page_size")
    response = api.get(URL, dict.fromkeys(names, "x") | {"status": "bogus", "page": "x"})
    codes = [*["invalid_choice"] * 3, "invalid", "invalid", "min_length", "invalid_choice", "invalid"]
    assert errors(response) == [*zip(codes, ("status", *names), strict=True)]


@pytest.mark.parametrize("wrong_first", [True, False])
def test_every_repeated_value_is_checked(api, wrong_first):
    names = {"created_after": "2024-01-15", "search": "abc", "ordering": "id", "page_size": "2"}
    for name, right in names.items():
        pair = (right, "x")[:: -1 if wrong_first else 1]
        assert [attr for _, attr in errors(api.get(URL, {name: pair}))] == [name]
    for pair in (("x", "1"), ("1", "x"), ("0", "1")):
        assert errors(api.get(URL, {"page": pair})) == [("404 not_found", None)]


def test_of_repeated_values_the_last_counts(api):
    add(3)
    assert len(ids(api, "?page_size=1&page_size=2&page=5&page=1&ordering=id&ordering=-id")) == 2


def test_page_size(api):
    add(3)
    assert len(ids(api, "?page_size=2")) == 2
    assert len(ids(api, "?page_size=1000")) == 3


def test_status_and_source_repeated_or_comma_separated(api):
    (a,), (b,), (c,) = add(), add(status="closed", source="partner"), add(status="resolved", source="monitoring")
    assert ids(api, "?status=closed") == [b.pk]
    assert set(ids(api, "?status=open,closed")) == {a.pk, b.pk}
    assert set(ids(api, "?status=open&status=resolved")) == {a.pk, c.pk}
    assert set(ids(api, "?source=operator,partner&status=closed,resolved")) == {b.pk}


def test_timestamps_after_includes_before_does_not(api):
    a, b, c = add(3)
    at = f"{b.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert ids(api, f"?created_after={at}") == [c.pk, b.pk]
    assert ids(api, f"?created_before={at}") == [a.pk]
    assert ids(api, f"?updated_after={at}&updated_before={c.updated_at:%Y-%m-%dT%H:%M:%S%%2B00:00}") == [b.pk]
    assert ids(api, "?created_after=2024-01-15&created_before=2024-01-16") == [c.pk, b.pk, a.pk]
    python = at.replace("Z", ".000000%2B0000")  # what openapi-generator's client for Python sends
    assert ids(api, f"?created_after={python}") == [c.pk, b.pk]
    assert ids(api, "?created_before=2024-01-15T13:31:00%2B03:00") == [a.pk]


@pytest.mark.parametrize(
    "at",
    [
        "2024-01-15t10:30:00z",
        "2024-01-15 10:30:00Z",
        "2024-01-15T13:30:00%2B03:00",
        "2024-01-15T10:30:00-00:00",
        "2024-01-15T10:30:00.000000000Z",
        "2024-01-15T10:29:59.999999001Z",
    ],
)
def test_every_timestamp_of_rfc_3339_is_taken(api, at):
    (row,) = add()
    assert ids(api, f"?created_after={at}") == ids(api, f"?updated_after={at}") == [row.pk]
    assert ids(api, f"?created_before={at}") == ids(api, f"?updated_before={at}") == []


@pytest.mark.parametrize(
    "at", ["20240115", "2024-W03-1", "2024-01-15T10", "2024-01-15T10:30Z", "2024-01-15T10:30:00+03:00"]
)
def test_a_timestamp_that_is_not_rfc_3339_is_refused(api, at):
    for name in ("created_after", "created_before", "updated_after", "updated_before"):
        assert errors(api.get(f"{URL}?{name}={at}")) == [("invalid", name)]


def test_timestamps_at_the_ends_of_time(api):
    (row,) = add()
    assert ids(api, "?created_after=0001-01-01T00:00:00%2B14:00") == [row.pk]
    assert ids(api, "?created_before=9999-12-31T23:59:59-14:00") == [row.pk]


def test_search_is_literal_and_knows_cyrillic(api):
    (a,), (b,), (c,) = add(description="ЗАРЯД 50% осталось"), add(description="Ёлка упала_на путь"), add()
    assert ids(api, "?search=заряд") == [a.pk]
    assert ids(api, "?search=50%25") == [a.pk]
    assert ids(api, "?search=ёЛкА") == [b.pk]
    assert ids(api, "?search=ла_на") == [b.pk]
    assert ids(api, "?search=не__ети") == []
    assert ids(api, "?search=%20не в ") == [c.pk]
    assert ids(api, "?search=%5C%5C%25") == []


@pytest.mark.parametrize(
    "text",
    [
        "Straße",
        "İstanbul",
        "ısı",
        "ὈΔΥΣΣΕΎΣ",
        "οδυσσεύς",
        "ŉnn",
        "ﬁnﬀ",
        "ǅep",
        "ᾳᾼα",
        "ΐΰΐ",
        "ẞẞẞ",
        "ſſſ",
        "ანბანი",
        "ӘӨҮ",
    ],
)
def test_search_folds_the_case_of_every_letter(api, text):
    (row,) = add(description=f"«{text}»")
    assert ids(api, f"?search={quote(text)}") == [row.pk]
    assert ids(api, f"?search={quote(text.upper())}") == [row.pk]


@pytest.mark.parametrize("text", ["поперек", "ПОПЕРЁК", "поперёк", "попере\u0308к", "ПОПЕРЕ\u0308К"])
def test_search_takes_ye_for_yo(api, text):
    """Also where ё is written as е with a combining diaeresis; й stays apart from и."""
    found = [
        row.pk for word in ("поперёк", "ПОПЕРЕК", "попере\u0308к") for row in add(description=f"Лежит {word} пути")
    ]
    add(description="поперйк попер")
    assert ids(api, f"?search={quote(text)}") == found[::-1]


def test_search_finds_any_part_of_a_number(api):
    """Also in longer ones, and not across what is no digit."""
    texts = ["№1234567.", "0123456", "12345 6", "123456789012345", "12345-67890", "١٢٣٤٥٦", "12345\n6", "1234", "a"]
    rows = [*zip(texts, [add(description=text)[0].pk for text in texts], strict=True)]
    searches = ["1234", "12345", "123456", "23456", "345678901", "№12345", "12345 6", "45-678", "0123456789", "01234"]
    for text in [*searches, "12345%", "_2345", "1234567890123456", "5\n6", "١٢٣٤٥"]:
        found = [pk for description, pk in rows if text in description]
        assert ids(api, f"?search={quote(text)}&ordering=id") == found, text


def test_search_does_not_know_languages(api):
    """The upper case of i is I: İ is another letter, as for Python."""
    add(description="İSTANBUL")
    assert ids(api, "?search=istanbul") == []
    (row,) = add(description="ISTANBUL")
    assert ids(api, "?search=ıstanbul") == [row.pk]


def test_ordering(api):
    rows = add(3)
    Incident.objects.filter(pk=rows[0].pk).update(updated_at=START + timedelta(days=1))
    a, b, c = (row.pk for row in rows)
    assert ids(api, "?ordering=created_at") == [a, b, c]
    assert ids(api, "?ordering=-updated_at") == [a, c, b]
    assert ids(api, "?ordering=updated_at") == [b, c, a]
    assert ids(api, "?ordering=id") == [a, b, c]
    assert ids(api, "?ordering=-id") == [c, b, a]


def test_an_unknown_parameter_is_ignored(api):
    add(2)
    assert len(ids(api, "?colour=red")) == 2


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [
        ("status", "bogus", "invalid_choice"),
        ("status", "open,bogus", "invalid_choice"),
        ("status", "", "invalid_choice"),
        ("source", "open", "invalid_choice"),
        ("created_after", "yesterday", "invalid"),
        ("created_after", "2024-02-31", "invalid"),
        ("created_after", "2024-01-15T10:30:00", "invalid"),
        ("created_before", "2024-13-01T00:00:00Z", "invalid"),
        ("updated_after", "", "blank"),
        ("updated_before", "10000-01-01", "invalid"),
        ("search", "ab", "min_length"),
        ("search", "", "blank"),
        ("search", "a\0bc", "null_characters_not_allowed"),
        ("ordering", "status", "invalid_choice"),
        ("ordering", "-id,id", "invalid_choice"),
    ],
)
def test_an_invalid_value_names_its_parameter(api, parameter, value, code):
    response = api.get(URL, {parameter: value})
    assert (response.status_code, errors(response)) == (400, [(code, parameter)])


def test_all_errors_at_once(api):
    response = api.get(URL, {"status": "x", "created_after": "y", "search": "z"})
    assert {attr for _, attr in errors(response)} == {"status", "created_after", "search"}
