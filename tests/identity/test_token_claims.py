"""A correctly signed token with malformed claims is 401 for access, refresh and verify, never a 500."""

import hmac
import json
from base64 import urlsafe_b64encode
from time import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from identity.models import User
from identity.tokens import CLAIM, issue
from tests.helpers.api import errors
from tests.helpers.identity import AUTH

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


class UNSET:
    """No claim of this name."""


NOT_VALID = (401, [("401 token_not_valid", None)])


def encoded(part):
    return urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=")


def signed(payload, header=None):
    """A token with a valid signature over any payload, even one that PyJWT refuses to encode."""
    text = encoded({"alg": "HS256", "typ": "JWT"} | (header or {})) + b"." + encoded(payload)
    return (text + b"." + encoded(hmac.digest(settings.SECRET_KEY.encode(), text, "sha256"))).decode()


def responses(user, change):
    """Responses to the access token, to a refresh and to a verification of both, with each payload changed."""
    access, refresh = (signed(change(issue(kind, user).payload)) for kind in (AccessToken, RefreshToken))
    client = Client()
    client.raise_request_exception = False
    return [
        client.get(LIST, headers={"authorization": f"Bearer {access}"}),
        client.post(AUTH + "jwt/refresh/", {"refresh": refresh}, "application/json"),
        client.post(AUTH + "jwt/verify/", {"token": access}, "application/json"),
        client.post(AUTH + "jwt/verify/", {"token": refresh}, "application/json"),
    ]


def with_claims(**claims):
    def change(payload):
        return {name: value for name, value in (payload | claims).items() if value is not UNSET}

    return change


NUMBERS = [-1, 1.5, 10**9, 10**17, 10**40, -(10**40), float("nan"), float("inf")]
MALFORMED: list[Any] = [None, True, "", "x", [], {}, [[]], {"a": {}}, *NUMBERS]


@pytest.mark.parametrize("value", [*MALFORMED, "99999999999", "9" * 30, 9e9, 1e300, UNSET], ids=repr)
@pytest.mark.parametrize("claim", ["exp", "user_id", CLAIM, "token_type", "jti"])
def test_malformed_claim(user, claim, value):
    if claim == "jti" and isinstance(value, str):
        value = None
    sent = responses(user, with_claims(**{claim: value}))
    if claim == "token_type":  # verification accepts each type
        assert sent.pop().status_code == sent.pop().status_code
    assert [(response.status_code, errors(response)) for response in sent] == [NOT_VALID] * len(sent)


@pytest.mark.parametrize("value", [value for value in MALFORMED if not isinstance(value, str)], ids=repr)
@pytest.mark.parametrize("claim", ["iss", "sub"])
def test_registered_claim_that_is_not_a_string(user, claim, value):
    sent = responses(user, with_claims(**{claim: value}))
    assert [(response.status_code, errors(response)) for response in sent] == [NOT_VALID] * 4


@pytest.mark.parametrize("value", ["\u0661", "\u00b2", "1 ", " 1", "1\n", "+1", "0x1", "1_0"])
def test_user_id_that_only_resembles_a_number(user, value):
    sent = responses(user, with_claims(user_id=value))
    assert [(response.status_code, errors(response)) for response in sent] == [NOT_VALID] * 4


@pytest.mark.parametrize("payload", [b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"exp":' * 100_000])
def test_payload_that_is_not_an_object(user, payload):
    sent = responses(user, lambda _: payload)
    assert [(response.status_code, errors(response)) for response in sent] == [NOT_VALID] * 4


@pytest.mark.parametrize("alg", ["none", "None", "HS512", "RS256", "", None, 1, [], {}, ["HS256"]], ids=repr)
def test_another_algorithm(user, client, alg):
    token = signed(issue(AccessToken, user).payload, {"alg": alg})
    for raw in (token, token.rpartition(".")[0] + "."):
        response = client.get(LIST, headers={"authorization": f"Bearer {raw}"})
        assert (response.status_code, errors(response)) == NOT_VALID


@pytest.mark.parametrize("header", [{"kid": 1}, {"crit": ["x"]}, {"crit": 1}, {"b64": False}], ids=repr)
def test_malformed_header_of_a_token(user, client, header):
    token = signed(issue(AccessToken, user).payload, header)
    response = client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, errors(response)) == NOT_VALID


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "status"), [(1, 200), (4, 200), (3600, 401)])
def test_clock_of_another_host_may_be_seconds_ahead(user, claim, ahead, status):
    sent = responses(user, with_claims(**{claim: int(time()) + ahead}))
    assert {response.status_code for response in sent} == {status}


def test_leeway_does_not_prolong_a_token(user):
    sent = responses(user, with_claims(exp=int(time())))
    assert {response.status_code for response in sent} == {401}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
def test_scheme_is_case_insensitive(client, user, scheme):
    """RFC 9110, 11.1."""
    headers = {"authorization": f"{scheme} {issue(AccessToken, user)}"}
    assert client.get(LIST, headers=headers).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = st.sampled_from(["exp", "iat", "nbf", "iss", "sub", "aud", "jti", "user_id", "token_type", CLAIM])


@pytest.mark.slow
class AnyClaims(TestCase):
    @hypothesis_settings(max_examples=100, deadline=None, print_blob=True)
    @given(claims=st.dictionaries(CLAIMS, JSON, min_size=1, max_size=3))
    def test_never_a_crash(self, claims):
        user = User.objects.create_user("operator")
        for response in responses(user, with_claims(**claims)):
            assert response.status_code == 200 or (response.status_code, errors(response)) == NOT_VALID
