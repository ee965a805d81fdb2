import json

import pytest

from incidents.models import Incident
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"


def post(api, body, **kwargs):
    return api.post(URL, body, content_type="application/json", **kwargs)


def test_as_the_reference_shows(api):
    response = post(api, {"description": "Самокат номер 875643 не в сети", "status": "open", "source": "operator"})
    assert response.status_code == 201
    row = Incident.objects.get()
    at = f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert list(response.json().items()) == [
        ("id", row.pk),
        ("description", "Самокат номер 875643 не в сети"),
        ("status", "open"),
        ("source", "operator"),
        ("created_at", at),
        ("updated_at", at),
    ]
    assert response["Location"] == f"http://testserver{URL}{row.pk}/"
    assert response["Content-Type"] == "application/json"
    assert "Самокат" in response.content.decode()


def test_status_is_open_where_it_is_left_out_and_space_is_trimmed(api):
    response = post(api, {"description": " \n Точка не отвечает\t", "source": "monitoring"}).json()
    assert (response["description"], response["status"]) == ("Точка не отвечает", "open")


def test_read_only_fields_are_ignored(api):
    response = post(
        api, {"description": "x", "source": "partner", "id": 77, "created_at": "2001-01-01", "updated_at": 1}
    )
    assert response.status_code == 201
    assert response.json()["created_at"] > "2024"


def test_without_the_closing_slash_nothing_is_lost(api):
    assert api.post(URL[:-1], {"description": "x", "source": "partner"}, "application/json").status_code == 201


def test_twenty_thousand_characters_fit(api):
    assert post(api, {"description": "ы" * 20_000 + "  ", "source": "partner"}).status_code == 201
    assert errors(post(api, {"description": "ы" * 20_001, "source": "partner"})) == [("max_length", "description")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {("required", "description"), ("required", "source")}),
        ({"description": "  ", "source": "operator"}, {("blank", "description")}),
        ({"description": None, "source": None}, {("null", "description"), ("null", "source")}),
        ({"description": 5, "source": "operator"}, {("invalid", "description")}),
        ({"description": ["x"], "source": "operator"}, {("invalid", "description")}),
        ({"description": True, "source": "operator"}, {("invalid", "description")}),
        ({"description": "a\0b", "source": "operator"}, {("null_characters_not_allowed", "description")}),
        ({"description": "x", "source": "customer"}, {("invalid_choice", "source")}),
        ({"description": "x", "source": "operator", "status": "bogus"}, {("invalid_choice", "status")}),
        ({"description": "x", "source": "operator", "status": None}, {("null", "status")}),
        ({"description": "x", "source": ["operator"]}, {("invalid_choice", "source")}),
        ({"description": "x", "sauce": "operator"}, {("required", "source"), ("unknown_field", "sauce")}),
        ({"description": "x", "source": "operator", "Status": "closed"}, {("unknown_field", "Status")}),
        ({"description": "x", "source": "operator", "": 1}, {("unknown_field", "")}),
        ([1], {("invalid", "non_field_errors")}),
        ("text", {("invalid", "non_field_errors")}),
        (5, {("invalid", "non_field_errors")}),
    ],
)
def test_each_error_names_its_field(api, body, expected):
    response = post(api, json.dumps(body))
    assert response.status_code == 400
    assert set(errors(response)) == expected
    assert not Incident.objects.exists()


def test_many_misspelt_fields(api):
    names = [f"f{number}" for number in range(50_000)]
    response = post(api, json.dumps(dict.fromkeys(names, 0), separators=(",", ":")))
    expected = {("required", "description"), ("required", "source"), *(("unknown_field", name) for name in names)}
    assert (response.status_code, set(errors(response))) == (400, expected)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"description": "\\ud800", "source": "operator"}',
        b'{"description": NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
)
def test_malformed_json_is_a_parse_error(api, body):
    response = post(api, body)
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])


def test_a_body_of_null_or_none_at_all(api):
    assert errors(post(api, b"null")) == [("null", "non_field_errors")]
    assert {code for code, _ in errors(post(api, b""))} == {"required"}


def test_other_media_types_are_refused(api):
    response = api.post(URL, "description=x&source=operator", "application/x-www-form-urlencoded")
    assert (response.status_code, errors(response)) == (415, [("415 unsupported_media_type", None)])


def test_a_body_over_two_and_a_half_megabytes(api):
    response = post(api, b'{"description": "' + b"x" * 20_000_000 + b'"}')
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])


def test_a_chunked_body_is_refused_not_taken_for_an_empty_one(api):
    response = api.generic("POST", URL, b"", "application/json", CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked")
    assert (response.status_code, errors(response)) == (411, [("411 length_required", None)])
