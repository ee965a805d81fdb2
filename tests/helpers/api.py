"""Calls to the API, and what is read from its responses."""

from typing import Any

from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from identity.models import User
from identity.tokens import issue


def api_for(user: User) -> Client:
    return Client(headers={"authorization": f"Bearer {issue(AccessToken, user)}"})


def errors(response: Any) -> list[tuple[str, str | None]]:
    """Code and attr of each error in the response; asserts that the response has the error format."""
    body = response.json()
    assert body.keys() == {"type", "errors"}, body
    assert all(error.keys() == {"code", "detail", "attr"} for error in body["errors"])
    kind = (
        "validation_error"
        if response.status_code == 400 and body["type"] == "validation_error"
        else ("client_error" if response.status_code < 500 else "server_error")
    )
    assert body["type"] == kind
    return [(error["code"], error["attr"]) for error in body["errors"]]
