"""Any JSON, as deep and as odd as it may be: the same outcome with and without an Idempotency-Key, never a 500."""

import hashlib

import orjson
import pytest

from incidents.models import IdempotencyKey, Incident
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = '{"description": "x", "source": "operator", %s}'
KEY = {"idempotency-key": "k"}


@pytest.fixture
def pk(db):
    return make_incident(description="x").pk


def nested(depth, kind):
    return "[" * depth + "]" * depth if kind == "list" else '{"a":' * depth + "1" + "}" * depth


def post(api, body, headers=None, path=""):
    return api.post(URL + path, body, "application/json", headers=headers or {})


@pytest.mark.parametrize("kind", ["list", "object"])
@pytest.mark.parametrize("depth", [1, 253, 254, 255, 1000, 1022])
def test_a_deep_value_in_a_read_only_field_is_ignored(api, depth, kind):
    body = BODY % f'"id": {nested(depth, kind)}'
    assert post(api, body).status_code == 201
    first, again = post(api, body, KEY), post(api, body, KEY)
    assert (first.status_code, again.content) == (201, first.content)
    assert Incident.objects.count() == 2


@pytest.mark.parametrize("headers", [{}, KEY])
@pytest.mark.parametrize("depth", [253, 254, 1000, 1024, 1025, 200_000])
@pytest.mark.parametrize("field", ["description", "status", "source", "colour"])
def test_a_deep_value_anywhere_else_is_an_error(api, pk, field, depth, headers):
    body = f'{{"{field}": {nested(depth, "list")}}}'
    for response in (post(api, body, headers), api.patch(f"{URL}{pk}/", body, "application/json", headers=headers)):
        assert response.status_code == 400
        assert errors(response)
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("headers", [{}, KEY])
@pytest.mark.parametrize("depth", [254, 1024, 200_000])
def test_a_deep_comment_is_an_error(api, pk, depth, headers):
    assert post(api, f'{{"text": {nested(depth, "list")}}}', headers, f"{pk}/comments/").status_code == 400
    assert post(api, nested(depth, "object"), headers, f"{pk}/comments/").status_code == 400


@pytest.mark.parametrize("headers", [{}, KEY])
@pytest.mark.parametrize(
    "value", ['"\\ud800"', '"\\udc00\\ud800"', "1" + "0" * 400, "NaN", "-Infinity", "1e999", "'x'", "01", '"a\x01"']
)
def test_what_no_json_parser_agrees_on_is_a_parse_error(api, pk, value, headers):
    for field in ("description", "id", "colour"):
        body = f'{{"source": "operator", "{field}": {value}}}'
        for response in (
            post(api, body, headers),
            api.patch(f"{URL}{pk}/", body, "application/json", headers=headers),
            post(api, body, headers, f"{pk}/comments/"),
            api.post("/api/identity/auth/jwt/create/", body, "application/json"),
        ):
            assert errors(response) == [("400 parse_error", None)]


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ('"id": 1', '"id": 1.0', 201),
        ('"id": 100', '"id": 1e2', 201),
        ('"id": 0', '"id": -0.0', 201),
        ('"id": 0.5', '"id": 5e-1', 201),
        ('"id": [1, {"a": 1, "b": 2}]', '"id": [1.0, {"b": 2, "a": 1}]', 201),
        ('"id": 2, "id": 1', '"id": 1', 201),
        ('"id": "\\u0416"', '"id": "Ж"', 201),
        ('"id": 1e300', '"id": 1e300', 201),
        ('"id": 1', '"id": true', 422),
        ('"id": 1', '"id": "1"', 422),
        ('"id": [1, 2]', '"id": [2, 1]', 422),
        ('"id": [[], []]', '"id": [[[]]]', 422),
        ('"id": {"a": {}}', '"id": {"a": []}', 422),
        ('"id": null', '"id": false', 422),
    ],
)
def test_bodies_are_compared_as_parsed_json(api, first, second, status):
    assert post(api, BODY % first, KEY).status_code == 201
    assert post(api, BODY % second, KEY).status_code == status


def test_a_key_that_an_earlier_version_stored_is_still_known(api):
    body = {"source": "operator", "description": 'Ж \\ "', "id": [1, 0.5, None, {"b": [], "a": {}, "я": True}]}
    post(api, body, KEY)
    stored = IdempotencyKey.objects.get().request_hash
    assert bytes(stored) == hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
