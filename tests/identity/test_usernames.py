"""Usernames are unique regardless of case, Unicode form and look-alike letters."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.db.models.signals import pre_save

from identity.models import LoginFailure, User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USER_ADMIN, USERS, admin_for, log_in, log_in_to_admin, send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TAKEN = [("unique", "username")]
INVALID = [("invalid", "username")]


@pytest.fixture
def root():
    return User.objects.create_superuser("root1", password=PASSWORD)


def create(root, username):
    response = send(api_for(root), "post", body={"username": username, "password": PASSWORD})
    return response.status_code, errors(response) if response.status_code >= 400 else response.json()["username"]


def create_in_admin(admin, username):
    body = {"username": username, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    return admin.post(f"{USER_ADMIN}add/", body)


@pytest.mark.parametrize("username", ["root1", "ROOT1", "Root1", " root1 "])
def test_another_case_is_taken(root, username):
    assert create(root, username) == (400, TAKEN)


@pytest.mark.parametrize(
    "username",
    [
        "ro\u03bft1",  # Greek omicron
        "ro\u043et1",  # Cyrillic o
        "r\u00f6ot1",  # a diaeresis
        "\u0131van",  # dotless i
        "\uff52oot1",  # full width
        "root\u0661",  # Arabic digit
        "root\u200b1",  # zero width space
        "\u212aelvin",  # the Kelvin sign
        "мария1x",
    ],
)
def test_homographs_are_refused(root, username):
    assert create(root, username) == (400, INVALID)


def test_refusal_in_russian(root):
    body = {"username": "роot", "password": PASSWORD}
    response = api_for(root).post(USERS, body, "application/json", headers={"accept-language": "ru"})
    assert "латинские или русские" in response.json()["errors"][0]["detail"]


@pytest.mark.parametrize("username", ["Иван.Петров+1", "ЁЖИК", "anna_b@example.org", "x-1", "42"])
def test_latin_and_russian_usernames(root, username):
    assert create(root, username) == (201, username)
    assert create(root, username.swapcase()) == (400, TAKEN)
    assert log_in(PASSWORD, username.swapcase()).status_code == 200


def test_russian_look_alike_of_a_latin_username(root):
    assert create(root, "copy") == (201, "copy")
    assert create(root, "сору") == (400, TAKEN)  # each letter Russian
    assert create(root, "СОРУ") == (400, TAKEN)


def test_yo_and_ye_are_the_same_letter(root):
    assert create(root, "Артём") == (201, "Артём")
    assert create(root, "артем") == (400, TAKEN)


def test_overlong_username(root):
    assert create(root, "x" * 151) == (400, [("max_length", "username")])


@pytest.mark.parametrize("username", ["root1", "ROOT1", "ro\u03bft1", "\uff32oot1"])
def test_admin_refuses_taken_and_invalid_usernames(root, username):
    response = create_in_admin(admin_for(root), username)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"username"}
    assert User.objects.count() == 1


def test_admin_refuses_to_rename_to_a_taken_username(root):
    other = User.objects.create_user("other")
    body = {"username": "ROOT1", "is_active": "on"}
    response = admin_for(root).post(f"{USER_ADMIN}{other.pk}/change/", body)
    assert response.context["adminform"].form.errors.keys() == {"username"}


def test_admin_renames_to_another_case_of_the_same_username(root):
    body = {"username": "ROOT1", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert admin_for(root).post(f"{USER_ADMIN}{root.pk}/change/", body).status_code == 302
    assert User.objects.get().username == "ROOT1"


@pytest.mark.parametrize("username", ["ROOT1", "ro\u03bft1"])
def test_createsuperuser_refuses_taken_and_invalid_usernames(root, username, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError):
        call_command("createsuperuser", username=username, email="", interactive=False)


def test_database_refuses_another_case(root):
    with pytest.raises(IntegrityError):
        User.objects.create_user("ROOT1")


@pytest.fixture
def taken_meanwhile():
    """A concurrent request takes the username between the check and the write."""

    def take(instance, **kwargs):
        pre_save.disconnect(take, sender=User)
        User.objects.create_user("SIDOROV")

    pre_save.connect(take, sender=User, weak=False)


def test_username_taken_meanwhile(root, taken_meanwhile):
    assert create(root, "sidorov") == (400, TAKEN)


def test_username_taken_meanwhile_in_the_admin(root, request):
    admin = admin_for(root, headers={"accept-language": "ru"})
    request.getfixturevalue("taken_meanwhile")
    response = create_in_admin(admin, "sidorov")
    assert (response.status_code, response["Location"]) == (302, f"{USER_ADMIN}add/")
    assert "уже существует" in admin.get(f"{USER_ADMIN}add/").content.decode()


@pytest.mark.parametrize("username", ["PETROVA", "Petrova ", "ｐｅｔｒｏｖａ"])
def test_log_in_with_another_case(petrova, username):
    assert log_in(PASSWORD, username).status_code == 200
    assert log_in_to_admin(PASSWORD, username).status_code == 302


def test_every_case_of_a_username_shares_one_count(petrova):
    for username in ("petrova", "Petrova", "PETROVA", "petrovA", "ｐｅｔｒｏｖａ"):
        assert log_in("wrong", username).status_code == 401
    assert log_in(PASSWORD, "petrova").status_code == 429
    LoginFailure.objects.all().delete()
    assert log_in(PASSWORD, "pEtrova").status_code == 200


def test_renaming_by_save_of_one_field(petrova):
    petrova.username = "Sidorova"
    petrova.save(update_fields=["username"])
    assert User.objects.get_by_natural_key("SIDOROVA") == petrova


def test_issue_token_takes_any_case(petrova, capsys):
    call_command("issue_token", "PETROVA")
    assert capsys.readouterr().out.count(".") == 2


def test_user_written_by_the_previous_release_logs_in(petrova):
    """The previous release does not write username_key."""
    User.objects.update(username_key=None)
    assert log_in(PASSWORD, "petrova").status_code == 200
