from datetime import timedelta

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from identity import backends
from identity.models import LoginFailure, User
from tests.conftest import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def petrova(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("petrova", password=PASSWORD, is_staff=True)


def log_in(password, username="petrova", address="10.0.0.1", **headers):
    body = {"username": username, "password": password}
    url = "/api/identity/auth/jwt/create/"
    return Client().post(url, body, "application/json", headers=headers, REMOTE_ADDR=address)


def guess(times, **kwargs):
    return [log_in(f"wrong-{number}", **kwargs).status_code for number in range(times)]


def test_the_sixth_guess_waits_and_the_right_password_with_it():
    assert guess(5) == [401] * 5
    for password in ("wrong", PASSWORD):
        answer = log_in(password)
        assert (answer.status_code, errors(answer)) == (429, [("429 throttled", None)])
        assert 0 < int(answer["Retry-After"]) <= 15 * 60


def test_a_right_password_from_another_address_still_gets_in():
    guess(6)
    assert log_in(PASSWORD, address="10.0.0.2").status_code == 200


def test_another_account_from_the_same_address_still_gets_in():
    User.objects.create_user("sidorov", password=PASSWORD)
    guess(6)
    assert log_in(PASSWORD, username="sidorov").status_code == 200


def test_one_address_guessing_many_accounts():
    for number in range(50):
        assert log_in("wrong", username=f"user-{number}").status_code == 401
    assert log_in(PASSWORD).status_code == 429
    assert log_in(PASSWORD, address="10.0.0.2").status_code == 200


def test_only_failures_count_and_a_success_forgets_them():
    for _ in range(3):
        assert guess(4) == [401] * 4
        assert log_in(PASSWORD).status_code == 200
    assert not LoginFailure.objects.exists()


def test_the_wait_ends_and_nothing_piles_up():
    guess(6)
    LoginFailure.objects.update(at=timezone.now() - backends.WINDOW + timedelta(seconds=30))
    assert log_in(PASSWORD)["Retry-After"] in ("29", "30")
    LoginFailure.objects.update(at=timezone.now() - backends.WINDOW)
    assert guess(1) == [401]
    assert LoginFailure.objects.count() == 1


def test_a_header_counts_only_behind_our_own_proxy():
    for number in range(5):
        log_in("wrong", x_forwarded_for=f"1.2.3.{number}")
    assert log_in(PASSWORD, x_forwarded_for="1.2.3.9").status_code == 429
    with override_settings(TRUSTED_PROXIES=1):
        assert log_in(PASSWORD, x_forwarded_for="10.0.0.1, 5.5.5.5").status_code == 200
        assert log_in(PASSWORD, x_forwarded_for="5.5.5.5, 10.0.0.1").status_code == 429
        assert log_in(PASSWORD, x_forwarded_for="garbage").status_code == 429


def test_a_server_on_a_unix_socket_has_no_address():
    assert guess(6, address="") == [401] * 5 + [429]


def test_the_admin_is_guarded_too():
    client = Client(headers={"accept-language": "ru"}, REMOTE_ADDR="10.0.0.1")
    guess(5)
    answer = client.post("/api/admin/login/", {"username": "petrova", "password": PASSWORD})
    assert answer.status_code == 200
    assert "Слишком много неверных паролей" in answer.content.decode()
    other = Client(REMOTE_ADDR="10.0.0.2")
    assert other.post("/api/admin/login/", {"username": "petrova", "password": PASSWORD}).status_code == 302
