"""The rate limit of wrong passwords, in the API and in the admin."""

from datetime import timedelta

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from core.jobs import registered
from identity import throttling
from identity.models import LoginFailure, User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USERS, admin_for, log_in, log_in_to_admin

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("petrova")]

NEW = "another horse battery"
TOO_MANY = "Слишком много неверных паролей: повторите через 15 мин."


def guess(times, **kwargs):
    return [log_in(f"wrong-{number}", **kwargs).status_code for number in range(times)]


def set_password(user, current, address="10.0.0.1"):
    body = {"current_password": current, "new_password": NEW}
    return api_for(user).post(USERS + "set_password/", body, "application/json", REMOTE_ADDR=address)


def set_password_in_admin(admin, current):
    body = {"old_password": current, "new_password1": NEW, "new_password2": NEW}
    return admin.post("/api/admin/password_change/", body)


def test_sixth_guess_is_429_even_with_the_right_password():
    assert guess(5) == [401] * 5
    for password in ("wrong", PASSWORD):
        response = log_in(password)
        assert (response.status_code, errors(response)) == (429, [("429 throttled", None)])
        assert 0 < int(response["Retry-After"]) <= 15 * 60


def test_right_password_from_another_address_still_logs_in():
    guess(6)
    assert log_in(PASSWORD, address="10.0.0.2").status_code == 200


def test_another_account_from_the_same_address_still_logs_in():
    User.objects.create_user("sidorov", password=PASSWORD)
    guess(6)
    assert log_in(PASSWORD, username="sidorov").status_code == 200


def test_one_address_guessing_many_accounts():
    for number in range(50):
        assert log_in("wrong", username=f"user-{number}").status_code == 401
    assert log_in(PASSWORD).status_code == 429
    assert log_in(PASSWORD, address="10.0.0.2").status_code == 200


def test_only_failures_count_and_a_success_deletes_them():
    for _ in range(3):
        assert guess(4) == [401] * 4
        assert log_in(PASSWORD).status_code == 200
    assert not LoginFailure.objects.exists()


def test_throttling_ends():
    guess(6)
    LoginFailure.objects.update(created_at=timezone.now() - throttling.WINDOW + timedelta(seconds=30))
    assert log_in(PASSWORD)["Retry-After"] in ("29", "30")
    LoginFailure.objects.update(created_at=timezone.now() - throttling.WINDOW)
    assert log_in(PASSWORD).status_code == 200


def test_job_deletes_old_failures_in_batches(monkeypatch):
    monkeypatch.setattr(throttling, "PURGE_BATCH", 2)
    guess(3)
    LoginFailure.objects.update(created_at=timezone.now() - throttling.WINDOW)
    guess(1, username="sidorov")
    assert [registered["purge_login_failures"].step() for _ in range(2)] == [True, False]
    assert LoginFailure.objects.count() == 1


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(hours=2), timedelta(days=400)])
def test_failures_dated_ahead_by_a_clock_that_was_set_back(ahead):
    guess(5)
    LoginFailure.objects.update(created_at=timezone.now() + ahead)
    response = log_in(PASSWORD)
    assert (response.status_code, int(response["Retry-After"]) <= 15 * 60) == (429, True)
    assert log_in(PASSWORD).status_code == 429
    assert not LoginFailure.objects.filter(created_at__gt=timezone.now()).exists()


def test_ipv6_client_is_its_network():
    addresses = [f"2001:db8:1:2:{number:x}::{number:x}" for number in range(5)]
    assert [log_in("wrong", address=address).status_code for address in addresses] == [401] * 5
    assert log_in(PASSWORD, address="2001:db8:1:2:ffff:ffff:ffff:ffff").status_code == 429
    assert log_in_to_admin(PASSWORD, address="2001:db8:1:2::1").status_code == 429
    assert log_in(PASSWORD, address="2001:db8:1:3::1").status_code == 200


def test_addresses_of_one_network_guess_many_accounts():
    for number in range(50):
        log_in("wrong", username=f"user-{number}", address=f"2001:db8::{number:x}")
    assert log_in(PASSWORD, address="2001:db8::ffff").status_code == 429


@pytest.mark.parametrize("address", ["::ffff:10.0.0.1", "::ffff:a00:1", "64:ff9b::10.0.0.1"])
def test_ipv4_address_inside_an_ipv6_address_is_the_same_client(address):
    assert guess(3) + guess(2, address=address) == [401] * 5
    assert [log_in(PASSWORD, address=sender).status_code for sender in (address, "10.0.0.1")] == [429, 429]
    assert (
        log_in(PASSWORD, address=address.replace("10.0.0.1", "10.0.0.2").replace("a00:1", "a00:2")).status_code == 200
    )


def test_zone_of_a_link_local_address_is_ignored():
    assert guess(3, address="fe80::1%eth0") + guess(2, address="fe80::2%eth1") == [401] * 5
    assert log_in(PASSWORD, address="fe80::3").status_code == 429


def test_forwarded_address_counts_only_behind_a_trusted_proxy():
    for number in range(5):
        log_in("wrong", x_forwarded_for=f"1.2.3.{number}")
    assert log_in(PASSWORD, x_forwarded_for="1.2.3.9").status_code == 429
    with override_settings(TRUSTED_PROXIES=1):
        assert log_in(PASSWORD, x_forwarded_for="10.0.0.1, 5.5.5.5").status_code == 200
        assert log_in(PASSWORD, x_forwarded_for="5.5.5.5, 10.0.0.1").status_code == 429
        assert log_in(PASSWORD, x_forwarded_for="garbage").status_code == 429


def test_unix_socket_has_no_address_and_counts_too():
    assert guess(6, address="") == [401] * 5 + [429]


def test_admin_log_in_shares_the_count():
    guess(5)
    response = log_in_to_admin(PASSWORD, accept_language="ru")
    assert (response.status_code, TOO_MANY in response.content.decode()) == (429, True)
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert log_in_to_admin(PASSWORD, address="10.0.0.2").status_code == 302


def test_admin_log_in_is_counted():
    for _ in range(5):
        assert log_in_to_admin("wrong").status_code == 200
    assert log_in(PASSWORD).status_code == 429


def test_wrong_current_password_counts_as_a_failed_log_in(petrova):
    for _ in range(5):
        assert errors(set_password(petrova, "wrong")) == [("invalid_password", "current_password")]
    response = set_password(petrova, PASSWORD)
    assert (response.status_code, errors(response)) == (429, [("429 throttled", None)])
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert log_in(PASSWORD, address="10.0.0.1").status_code == 429
    assert set_password(petrova, PASSWORD, address="10.0.0.2").status_code == 204


def test_failed_log_ins_throttle_the_change_of_password(petrova):
    guess(5)
    assert set_password(petrova, PASSWORD).status_code == 429


def test_right_current_password_deletes_the_failures(petrova):
    set_password(petrova, "wrong")
    assert set_password(petrova, PASSWORD).status_code == 204
    assert not LoginFailure.objects.exists()


def test_weak_new_password_is_not_counted(petrova):
    body = {"current_password": PASSWORD, "new_password": "1"}
    for _ in range(6):
        response = api_for(petrova).post(USERS + "set_password/", body, "application/json")
        assert {attr for _, attr in errors(response)} == {"new_password"}


def test_wrong_old_password_in_the_admin_counts_as_a_failed_log_in(petrova):
    admin = admin_for(petrova, headers={"accept-language": "ru"}, REMOTE_ADDR="10.0.0.1")
    for _ in range(5):
        assert TOO_MANY not in set_password_in_admin(admin, "wrong").content.decode()
    response = set_password_in_admin(admin, PASSWORD)
    assert (response.status_code, TOO_MANY in response.content.decode()) == (429, True)
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert log_in(PASSWORD).status_code == 429


def test_changing_a_password_in_the_admin(petrova):
    admin = admin_for(petrova)
    response = set_password_in_admin(admin, PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/api/admin/password_change/done/")
    assert admin.get("/api/admin/").status_code == 200
    assert log_in(NEW).status_code == 200
    assert Client().get("/api/admin/password_change/").status_code == 302
