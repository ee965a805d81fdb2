"""Anything in a description, a filter or a header gets a response in the format, never a 500."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.models import IncidentChange
from incidents.text import is_blank

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.slow]

URL = "/api/v1/incidents/"
PARAMETERS = [
    "status",
    "source",
    "created_after",
    "created_before",
    "updated_after",
    "updated_before",
    "search",
    "ordering",
    "page",
    "page_size",
    "format",
]
many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
visible = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_characters="\x7f"), max_size=300)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def in_format(response):
    body = response.json()
    assert body["type"] in ("validation_error", "client_error")
    assert all(error.keys() == {"code", "detail", "attr"} for error in body["errors"])


@many
@given(text=st.text(max_size=200) | st.text(st.characters(), min_size=1, max_size=20))
def test_a_description_comes_back_as_it_went(api, text):
    response = api.post(URL, json.dumps({"description": text, "source": "operator"}), "application/json")
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if response.status_code == 201:
        assert response.json()["description"] == kept
        pk = response.json()["id"]
        assert api.get(f"{URL}{pk}/").json() == response.json()
        assert IncidentChange.objects.get(incident_id=pk).changes["description"] == [None, kept]
    else:
        in_format(response)
        assert is_blank(text) or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


@many
@given(body=anything | st.dictionaries(st.sampled_from(["description", "status", "source", "id"]), anything))
def test_any_json(api, body):
    response = api.post(URL, json.dumps(body), "application/json")
    assert response.status_code in (201, 400)
    if response.status_code == 400:
        in_format(response)


@many
@given(query=st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=30), max_size=4))
def test_any_filter(api, query):
    response = api.get(URL, query)
    assert response.status_code in (200, 400, 404)
    if response.status_code != 200:
        in_format(response)


@many
@given(values=st.lists(visible, min_size=6, max_size=6))
def test_any_header(api, values):
    names = ("If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID", "Accept", "Accept-Language")
    headers = dict(zip(names, values, strict=True))
    body = {"description": "x", "source": "operator"}
    created = api.post(URL, body, "application/json", headers=headers)
    assert created.status_code in (201, 400, 422)
    pk = api.post(URL, body, "application/json").json()["id"]
    assert api.get(f"{URL}{pk}/", headers=headers).status_code in (200, 304, 412)
    assert api.patch(f"{URL}{pk}/", {"status": "closed"}, "application/json", headers=headers).status_code in (200, 412)
