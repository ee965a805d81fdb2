"""Users that an earlier release allowed: what stays as it is is not validated again."""

import pytest

from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import USER_ADMIN, admin_for, send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MIXED = "иванов_IT"


@pytest.fixture
def ivanov():
    return User.objects.create_user(MIXED, "admin@server", time_zone="Mars/Phobos", first_name="Иван")


@pytest.fixture
def admin():
    return admin_for(User.objects.create_superuser("root"))


@pytest.fixture
def save(admin, ivanov):
    def save(**form):
        stored = {"username": MIXED, "email": "admin@server", "time_zone": "Mars/Phobos", "first_name": "Иван"}
        response = admin.post(f"{USER_ADMIN}{ivanov.pk}/change/", stored | form)
        ivanov.refresh_from_db()
        return response.status_code == 302 or response.context["adminform"].form.errors

    return save


def test_form_deactivates_and_changes_other_fields(save, ivanov):
    assert save(first_name="Пётр") is True
    assert (ivanov.username, ivanov.is_active, ivanov.first_name) == (MIXED, False, "Пётр")


def test_page_as_it_was_opened_is_saved_again(admin, save, ivanov):
    page = admin.get(f"{USER_ADMIN}{ivanov.pk}/change/").content.decode()
    assert f'name="initial-username" value="{MIXED}"' in page
    stored = {f"initial-{name}": getattr(ivanov, name) for name in ("username", "email", "time_zone", "first_name")}
    assert save(**stored, **{"initial-is_active": "True"}) is True
    assert not ivanov.is_active


@pytest.mark.parametrize("username", ["Иванов_IT", "иванов_it", "ROOT", "иванов IT", ""])
def test_new_username_is_validated(save, ivanov, username):
    assert save(username=username).keys() == {"username"}
    assert ivanov.username == MIXED


def test_new_username_by_the_present_rule(save, ivanov):
    assert save(username="иванов") is True
    assert User.objects.get_by_natural_key("ИВАНОВ") == ivanov


@pytest.mark.parametrize(("field", "value"), [("email", "admin@servers"), ("time_zone", "Mars/Deimos")])
def test_other_new_values_are_validated(save, field, value):
    assert save(**{field: value}).keys() == {field}


def test_username_without_a_key_that_another_user_took(save, ivanov):
    """The release before the keys inserted users without one, until a trigger filled it."""
    User.objects.filter(pk=ivanov.pk).update(username="PETROVA")
    User.objects.filter(pk=ivanov.pk).update(username_key=None)
    User.objects.create_user("petrova")
    assert save(username="PETROVA") is True
    assert (ivanov.is_active, ivanov.username_key) == (False, None)


def test_api_takes_an_unchanged_email_back(ivanov):
    api = api_for(ivanov)
    shown = send(api, "get", "me/").json()
    for method in ("patch", "put"):
        response = send(api, method, "me/", shown | {"first_name": "Пётр"})
        assert (response.status_code, response.json()) == (200, shown | {"first_name": "Пётр"})
    assert errors(send(api, "patch", "me/", {"email": "admin@servers"})) == [("invalid", "email")]
    assert send(api, "patch", "me/", {"email": ""}).json()["email"] == ""
