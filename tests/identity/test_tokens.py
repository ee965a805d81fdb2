from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from identity.models import User
from identity.tokens import issue
from tests.conftest import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

AUTH = "/api/identity/auth/"
LIST = "/api/v1/incidents/"
PASSWORD = "correct horse battery"


def post(client, path, body):
    return client.post(AUTH + path, body, "application/json")


@pytest.fixture
def petrova(db):
    return User.objects.create_user("petrova", password=PASSWORD)


@pytest.fixture
def pair(client, petrova):
    answer = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json().keys() == {"access", "refresh"}
    return answer.json()


def alive(client, pair):
    """Whether access, refresh and verify take the tokens: all three agree."""
    answers = [
        client.get(LIST, headers={"authorization": f"Bearer {pair['access']}"}),
        post(client, "jwt/refresh/", {"refresh": pair["refresh"]}),
        post(client, "jwt/verify/", {"token": pair["access"]}),
        post(client, "jwt/verify/", {"token": pair["refresh"]}),
    ]
    codes = {answer.status_code for answer in answers}
    assert codes in ({200}, {401}), [answer.content for answer in answers]
    if codes == {401}:
        assert {tuple(errors(answer)) for answer in answers} == {(("401 token_not_valid", None),)}
        assert all("WWW-Authenticate" in answer for answer in answers)
    return codes == {200}


def test_log_in_refresh_verify(client, pair):
    assert alive(client, pair)
    fresh = post(client, "jwt/refresh", {"refresh": pair["refresh"]}).json()
    assert fresh.keys() == {"access"}
    assert alive(client, pair | fresh)


def test_lifetimes(pair):
    access, refresh = AccessToken(pair["access"]), RefreshToken(pair["refresh"])
    # simplejwt counts the access token's life from the birth of its refresh token, which may be a second's end before.
    assert access["exp"] - refresh["iat"] == 60 * 60
    assert refresh["exp"] - refresh["iat"] == 180 * 24 * 60 * 60


def test_tokens_die_with_a_new_password(client, petrova, pair):
    petrova.set_password("another horse battery")
    petrova.save()
    assert not alive(client, pair)


def test_tokens_die_where_the_client_changes_its_password(client, pair):
    body = {"current_password": PASSWORD, "new_password": "another horse battery"}
    headers = {"authorization": f"Bearer {pair['access']}"}
    answer = client.post(AUTH + "users/set_password/", body, "application/json", headers=headers)
    assert answer.status_code == 204
    assert not alive(client, pair)
    assert post(client, "jwt/create/", {"username": "petrova", "password": "another horse battery"}).status_code == 200


def test_tokens_die_with_a_deactivation_and_live_again(client, petrova, pair):
    User.objects.update(is_active=False)
    assert not alive(client, pair)
    User.objects.update(is_active=True)
    assert alive(client, pair)


def test_tokens_die_with_their_user(client, petrova, pair):
    petrova.delete()
    assert not alive(client, pair)


def test_an_upgrade_of_the_hash_at_login_is_no_change(client, petrova, pair):
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha1"))
    later = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD}).json()
    assert User.objects.get().password.startswith("pbkdf2_sha256")
    assert alive(client, pair)
    assert alive(client, later)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "petrova", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "x" * 5_000, "password": PASSWORD},
        {"username": "Petrova ", "password": "wrong"},
    ],
)
def test_no_active_account(client, petrova, body):
    answer = post(client, "jwt/create/", body)
    assert (answer.status_code, errors(answer)) == (401, [("401 no_active_account", None)])
    assert "WWW-Authenticate" in answer


def test_an_inactive_account_cannot_log_in(client, petrova):
    User.objects.update(is_active=False)
    answer = post(client, "jwt/create/", {"username": "petrova", "password": PASSWORD})
    assert errors(answer) == [("401 no_active_account", None)]


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
def test_what_is_wrong_with_a_login_is_named(client, body, expected):
    answer = post(client, "jwt/create/", body)
    assert (answer.status_code, set(errors(answer))) == (400, expected)


@pytest.mark.parametrize(
    "claims", [{"user_id": "abc"}, {"user_id": 2**80}, {"user_id": None}, {"user_id": "9" * 40}, {}]
)
def test_a_token_with_odd_claims(client, petrova, claims):
    token = issue(AccessToken, petrova)
    token.payload = {name: value for name, value in token.payload.items() if name != "user_id"} | claims
    answer = client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, errors(answer)) == (401, [("401 token_not_valid", None)])


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer garbage", "Bearer a.b.c", "Bearer \xff"])
def test_a_malformed_header(client, db, header):
    answer = client.get(LIST, headers={"authorization": header})
    assert (answer.status_code, errors(answer)) == (401, [("401 token_not_valid", None)])


@pytest.mark.parametrize("header", ["", "Basic cGV0cm92YTp4", "Token x", "garbage"])
def test_another_scheme_is_no_token(client, db, header):
    answer = client.get(LIST, headers={"authorization": header})
    assert (answer.status_code, errors(answer)) == (401, [("401 not_authenticated", None)])


def test_a_refresh_token_is_no_access_token(client, pair):
    answer = client.get(LIST, headers={"authorization": f"Bearer {pair['refresh']}"})
    assert errors(answer) == [("401 token_not_valid", None)]
    assert errors(post(client, "jwt/refresh/", {"refresh": pair["access"]})) == [("401 token_not_valid", None)]


def test_an_expired_token(client, petrova):
    token = issue(AccessToken, petrova)
    token.set_exp(lifetime=-timedelta(seconds=1))
    answer = client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert errors(answer) == [("401 token_not_valid", None)]


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


@pytest.mark.parametrize(("username", "days"), [("nobody", 1), ("petrova", 0), ("petrova", -1), ("petrova", 10**9)])
def test_issue_token_refuses(petrova, username, days):
    with pytest.raises(CommandError):
        call_command("issue_token", username, days=days)
