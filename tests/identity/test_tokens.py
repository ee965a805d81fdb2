from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from identity.models import User
from identity.tokens import issue
from tests.helpers.api import errors
from tests.helpers.identity import AUTH, PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


def post(client, path, body):
    return client.post(AUTH + path, body, "application/json")


@pytest.fixture
def pair(client, petrova):
    response = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD})
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh"}
    return response.json()


def valid(client, pair):
    """Whether access, refresh and verify accept the tokens: all three agree."""
    responses = [
        client.get(LIST, headers={"authorization": f"Bearer {pair['access']}"}),
        post(client, "jwt/refresh/", {"refresh": pair["refresh"]}),
        post(client, "jwt/verify/", {"token": pair["access"]}),
        post(client, "jwt/verify/", {"token": pair["refresh"]}),
    ]
    codes = {response.status_code for response in responses}
    assert codes in ({200}, {401}), [response.content for response in responses]
    if codes == {401}:
        assert {tuple(errors(response)) for response in responses} == {(("401 token_not_valid", None),)}
        assert all("WWW-Authenticate" in response for response in responses)
    return codes == {200}


def test_log_in_refresh_verify(client, pair):
    assert valid(client, pair)
    fresh = post(client, "jwt/refresh", {"refresh": pair["refresh"]}).json()
    assert fresh.keys() == {"access"}
    assert valid(client, pair | fresh)


def test_lifetimes(pair):
    access, refresh = AccessToken(pair["access"]), RefreshToken(pair["refresh"])
    # simplejwt counts the access token's lifetime from the creation of its refresh token, up to a second earlier.
    assert access["exp"] - refresh["iat"] == 60 * 60
    assert refresh["exp"] - refresh["iat"] == 180 * 24 * 60 * 60


def test_new_password_revokes_tokens(client, petrova, pair):
    petrova.set_password("another horse battery")
    petrova.save()
    assert not valid(client, pair)


def test_set_password_revokes_tokens(client, pair):
    body = {"current_password": PASSWORD, "new_password": "another horse battery"}
    headers = {"authorization": f"Bearer {pair['access']}"}
    response = client.post(AUTH + "users/set_password/", body, "application/json", headers=headers)
    assert response.status_code == 204
    assert not valid(client, pair)
    assert post(client, "jwt/create/", {"username": "petrova", "password": "another horse battery"}).status_code == 200


def test_deactivation_revokes_tokens_until_reactivation(client, petrova, pair):
    User.objects.update(is_active=False)
    assert not valid(client, pair)
    User.objects.update(is_active=True)
    assert valid(client, pair)


def test_deletion_revokes_tokens(client, petrova, pair):
    petrova.delete()
    assert not valid(client, pair)


def test_upgrade_of_the_hash_at_log_in_keeps_tokens(client, petrova, pair):
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha1"))
    later = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD}).json()
    assert User.objects.get().password.startswith("pbkdf2_sha256")
    assert valid(client, pair)
    assert valid(client, later)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "petrova", "password": "wrong"},
        {"username": "unknown", "password": PASSWORD},
        {"username": "x" * 5_000, "password": PASSWORD},
        {"username": "Petrova ", "password": "wrong"},
    ],
)
def test_wrong_username_or_password(client, petrova, body):
    response = post(client, "jwt/create/", body)
    assert (response.status_code, errors(response)) == (401, [("401 no_active_account", None)])
    assert "WWW-Authenticate" in response


def test_inactive_user_cannot_log_in(client, petrova):
    User.objects.update(is_active=False)
    response = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD})
    assert errors(response) == [("401 no_active_account", None)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {("required", "username"), ("required", "password")}),
        ({"username": "", "password": None}, {("blank", "username"), ("null", "password")}),
        ({"username": "a\0b", "password": "x"}, {("null_characters_not_allowed", "username")}),
        ({"username": ["x"], "password": {}}, {("invalid", "username"), ("invalid", "password")}),
        ([], {("invalid", "non_field_errors")}),
    ],
)
def test_faults_of_a_log_in_request(client, body, expected):
    response = post(client, "jwt/create/", body)
    assert (response.status_code, set(errors(response))) == (400, expected)


@pytest.mark.parametrize(
    "claims", [{"user_id": "abc"}, {"user_id": 2**80}, {"user_id": None}, {"user_id": "9" * 40}, {}]
)
def test_malformed_user_ids(client, petrova, claims):
    token = issue(AccessToken, petrova)
    token.payload = {name: value for name, value in token.payload.items() if name != "user_id"} | claims
    response = client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, errors(response)) == (401, [("401 token_not_valid", None)])


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer garbage", "Bearer a.b.c", "Bearer \xff"])
def test_malformed_header(client, db, header):
    response = client.get(LIST, headers={"authorization": header})
    assert (response.status_code, errors(response)) == (401, [("401 token_not_valid", None)])


@pytest.mark.parametrize("header", ["", "Basic cGV0cm92YTp4", "Token x", "garbage"])
def test_another_scheme_is_not_authenticated(client, db, header):
    response = client.get(LIST, headers={"authorization": header})
    assert (response.status_code, errors(response)) == (401, [("401 not_authenticated", None)])


def test_refresh_token_is_not_accepted_as_access_token(client, pair):
    response = client.get(LIST, headers={"authorization": f"Bearer {pair['refresh']}"})
    assert errors(response) == [("401 token_not_valid", None)]
    assert errors(post(client, "jwt/refresh/", {"refresh": pair["access"]})) == [("401 token_not_valid", None)]


def test_expired_token(client, petrova):
    token = issue(AccessToken, petrova)
    token.set_exp(lifetime=-timedelta(seconds=1))
    response = client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert errors(response) == [("401 token_not_valid", None)]


@pytest.mark.parametrize("path", ["jwt/create/xyz", "jwt/", "jwt/refresh/x/", "jwt/create//", ""])
def test_routes_are_anchored(client, db, path):
    assert errors(post(client, path, {})) == [("404 not_found", None)]


def test_issue_token_prints_a_token_and_nothing_else(petrova, capsys):
    call_command("issue_token", "petrova", days=365)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    token = AccessToken(out.strip())
    assert token["exp"] - token["iat"] == 365 * 24 * 60 * 60
    assert Client(headers={"authorization": f"Bearer {out.strip()}"}).get(LIST).status_code == 200


@pytest.mark.parametrize(("username", "days"), [("unknown", 1), ("petrova", 0), ("petrova", -1), ("petrova", 10**9)])
def test_issue_token_refuses(petrova, username, days):
    with pytest.raises(CommandError):
        call_command("issue_token", username, days=days)
