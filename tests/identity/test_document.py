"""The identity routes behave as the OpenAPI document says, so that generated clients work."""

import pytest

from identity.models import User
from tests.helpers.api import api_for
from tests.helpers.identity import AUTH, PASSWORD, USERS

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("petrova")]


@pytest.fixture
def document(client):
    return client.get("/api/schema/").json()


def schema(document, path, content, method="post"):
    """The request's or a response's schema, with the reference to its component resolved."""
    operation = document["paths"][path][method]
    part = operation["requestBody"] if content == "request" else operation["responses"][content]
    found = part["content"]["application/json"]["schema"]
    return document["components"]["schemas"][found["$ref"].rsplit("/", 1)[1]] if "$ref" in found else found


def post_as_documented(client, document, path, values):
    """Sends what the document requires, and checks the response against it."""
    body = {name: values[name] for name in schema(document, path, "request")["required"]}
    response = client.post(path, body, "application/json")
    assert response.status_code == 200
    sent = schema(document, path, "200")
    assert response.json().keys() == sent.get("properties", {}).keys() == set(sent.get("required", ()))
    return response.json()


def test_client_logs_in_refreshes_and_verifies(client, document):
    values = {"username": "petrova", "password": PASSWORD}
    values |= post_as_documented(client, document, AUTH + "jwt/create/", values)
    assert values.keys() >= {"access", "refresh"}
    fresh = post_as_documented(client, document, AUTH + "jwt/refresh/", values)
    assert fresh.keys() == {"access"}
    verified = post_as_documented(client, document, AUTH + "jwt/verify/", {"token": fresh["access"]})
    assert verified == {}


@pytest.mark.parametrize(
    ("path", "required"),
    [("jwt/create/", {"username", "password"}), ("jwt/refresh/", {"refresh"}), ("jwt/verify/", {"token"})],
)
def test_requests_hold_nothing_that_only_responses_have(document, path, required):
    request = schema(document, AUTH + path, "request")
    assert set(request["required"]) == request["properties"].keys() == required


@pytest.mark.parametrize(("path", "method"), [("", "post"), ("me/", "patch"), ("{id}/", "put")])
def test_users_are_documented_as_they_are_sent(document, path, method):
    request = schema(document, USERS + path, "request", method)
    response = schema(document, USERS + path, "201" if method == "post" else "200", method)
    api = api_for(User.objects.create_superuser("root"))
    body = {"username": "sidorov", "password": PASSWORD}
    shown = getattr(api, method)(USERS + path.format(id=User.objects.first().pk), body, "application/json").json()
    assert response["properties"].keys() == shown.keys()
    assert "id" not in request["properties"] and "password" not in response["properties"]


def test_change_of_password_has_no_response_body(document):
    responses = document["paths"][USERS + "set_password/"]["post"]["responses"]
    assert "content" not in responses["204"] and "200" not in responses
    assert responses["429"]["description"] == "throttled"


def test_rules_of_usernames_and_addresses_are_in_words(document):
    properties = schema(document, USERS, "request")["properties"]
    assert "Latin or Russian letters (not both)" in properties["username"]["description"]
    assert (properties["email"]["type"], properties["email"]["maxLength"]) == ("string", 254)


def test_deleting_oneself_sends_the_password(document):
    assert schema(document, USERS + "me/", "request", "delete")["required"] == ["current_password"]
    bodies = {path: document["paths"][USERS + path]["delete"]["requestBody"] for path in ("me/", "{id}/")}
    assert {path: body["required"] for path, body in bodies.items()} == {"me/": True, "{id}/": False}
