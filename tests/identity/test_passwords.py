"""Passwords are stored exactly as typed, in the API and in the admin."""

import pytest

from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USER_ADMIN, USERS, admin_for, log_in, log_in_to_admin, send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

AS_TYPED = ["  outer spaces ", "\tcorrect horse\n", " " * 12, "\u00a0неразрывный\u00a0", "x" * 4096]
FAULTS = [("nul\0in password", "null_characters_not_allowed"), ("x" * 1_000_000, "max_length")]


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password=PASSWORD)


def logs_in_only_with(username, password):
    assert log_in(password, username).status_code == 200
    assert log_in_to_admin(password, username).status_code == 302
    assert password.strip() == password or log_in(password.strip() or "x", username).status_code == 401
    return True


@pytest.mark.parametrize("password", AS_TYPED)
def test_set_when_a_user_is_created(root, password):
    assert send(api_for(root), "post", body={"username": "petrova", "password": password}).status_code == 201
    User.objects.update(is_staff=True)
    assert logs_in_only_with("petrova", password)


@pytest.mark.parametrize("password", AS_TYPED)
def test_changed_by_its_user(petrova, password):
    for current, new in ((PASSWORD, password), (password, PASSWORD + " "), (PASSWORD + " ", password)):
        body = {"current_password": current, "new_password": new}
        assert send(api_for(petrova), "post", "set_password/", body).status_code == 204
        petrova.refresh_from_db()
    assert logs_in_only_with("petrova", password)


@pytest.mark.parametrize("password", AS_TYPED)
def test_set_in_the_admin(root, petrova, password):
    body = {"password1": password, "password2": password, "set-password": "1"}
    assert admin_for(root).post(f"{USER_ADMIN}{petrova.pk}/password/", body).status_code == 302
    assert logs_in_only_with("petrova", password)


@pytest.mark.parametrize("password", AS_TYPED)
def test_changed_in_the_admin(petrova, password):
    admin = admin_for(petrova)
    for old, new in ((PASSWORD, password), (password, PASSWORD), (PASSWORD, password)):
        body = {"old_password": old, "new_password1": new, "new_password2": new}
        assert admin.post("/api/admin/password_change/", body).status_code == 302
    assert logs_in_only_with("petrova", password)


@pytest.mark.parametrize("path", ["identity/user/{}/password/", "password_change/"])
def test_a_deactivation_while_a_password_is_hashed_stays(root, petrova, monkeypatch, path):
    set_password = User.set_password

    def deactivate_and_set(user, password):
        User.objects.filter(pk=user.pk).update(is_active=False)
        set_password(user, password)

    monkeypatch.setattr(User, "set_password", deactivate_and_set)
    new = dict.fromkeys(["password1", "password2", "new_password1", "new_password2"], PASSWORD + "!")
    editor = petrova if path == "password_change/" else root
    body = new | {"old_password": PASSWORD, "set-password": "1"}
    assert admin_for(editor).post(f"/api/admin/{path.format(petrova.pk)}", body).status_code == 302
    petrova.refresh_from_db()
    assert not petrova.is_active and petrova.check_password(PASSWORD + "!")


@pytest.mark.parametrize(("password", "code"), FAULTS)
def test_faults_of_a_password_in_the_api(root, petrova, password, code):
    response = log_in(password)
    assert (response.status_code, errors(response)) == (400, [(code, "password")])
    response = send(api_for(root), "post", body={"username": "sidorov", "password": password})
    assert (response.status_code, errors(response)) == (400, [(code, "password")])
    body = {"current_password": password, "new_password": password}
    response = api_for(petrova).post(USERS + "set_password/", body, "application/json")
    assert (response.status_code, set(errors(response))) == (
        400,
        {(code, "current_password"), (code, "new_password")},
    )


@pytest.mark.parametrize("password", [password for password, _ in FAULTS])
def test_faults_of_a_password_in_the_admin(root, petrova, password):
    assert log_in_to_admin(password).status_code == 200
    admin = admin_for(root)
    own = "/api/admin/password_change/"
    for path, body in (
        (f"{USER_ADMIN}add/", {"username": "sidorov", "password1": password, "password2": password}),
        (f"{USER_ADMIN}{petrova.pk}/password/", {"password1": password, "password2": password, "set-password": "1"}),
        (own, {"old_password": PASSWORD, "new_password1": password, "new_password2": password}),
        (own, {"old_password": password, "new_password1": PASSWORD + "x", "new_password2": PASSWORD + "x"}),
    ):
        assert admin.post(path, body).status_code == 200
    assert {user.check_password(PASSWORD) for user in User.objects.all()} == {True}
