"""Users delete themselves only with their password, and one active superuser always remains."""

import pytest

from identity.models import LoginFailure, User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USER_ADMIN, admin_for, grant, log_in, send

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db")]

RIGHT = {"current_password": PASSWORD}
LAST = "This is the last active superuser: make another one first."


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def other(root):
    return User.objects.create_superuser("other", password=PASSWORD)


@pytest.fixture
def each_path_of(root):
    return ("me/", f"{root.pk}/")


def save(client, user, **form):
    return client.post(f"{USER_ADMIN}{user.pk}/change/", {"username": user.username} | form)


def test_deleting_oneself_asks_for_the_current_password(root, other, each_path_of):
    for path in each_path_of:
        assert errors(api_for(root).delete(f"/api/identity/auth/users/{path}")) == [("required", "current_password")]
        wrong = send(api_for(root), "delete", path, {"current_password": "wrong"})
        assert errors(wrong) == [("invalid_password", "current_password")]
        assert errors(send(api_for(root), "delete", path, [])) == [("invalid", "non_field_errors")]
    assert send(api_for(root), "delete", "me/", RIGHT).status_code == 204
    assert User.objects.get() == other


def test_deleting_oneself_requires_the_permission_too(petrova):
    assert errors(send(api_for(petrova), "delete", "me/", RIGHT)) == [("403 permission_denied", None)]
    grant(petrova, "delete_user")
    assert send(api_for(petrova), "delete", "me/", RIGHT).status_code == 204


def test_wrong_password_of_a_deletion_counts_as_a_failed_log_in(root):
    api = api_for(root)
    for _ in range(5):
        assert send(api, "delete", "me/", {"current_password": "wrong"}).status_code == 400
    response = send(api, "delete", "me/", RIGHT)
    assert (response.status_code, errors(response)) == (429, [("429 throttled", None)])
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert log_in(PASSWORD, "root", "127.0.0.1").status_code == 429
    LoginFailure.objects.all().delete()
    assert send(api, "delete", "me/", RIGHT).status_code == 403


def test_last_active_superuser_is_not_deleted(root, each_path_of, petrova):
    User.objects.create_superuser("retired", is_active=False)
    for path in each_path_of:
        response = send(api_for(root), "delete", path, RIGHT)
        assert (response.status_code, response.json()["errors"][0]["detail"]) == (403, LAST)
    assert send(api_for(root), "delete", f"{petrova.pk}/").status_code == 204
    assert send(api_for(root), "delete", f"{User.objects.get(username='retired').pk}/").status_code == 204


def test_superuser_deletes_another_without_its_password(root, other):
    assert send(api_for(root), "delete", f"{other.pk}/").status_code == 204
    assert send(api_for(root), "delete", "me/", RIGHT).status_code == 403


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({"is_staff": "on", "is_superuser": "on"}, {"is_active"}),
        ({"is_staff": "on", "is_active": "on"}, {"is_superuser"}),
        ({"is_staff": "on"}, {"is_active", "is_superuser"}),
    ],
)
def test_form_refuses_to_deactivate_or_demote_the_last_one(root, form, fields):
    page = save(admin_for(root, headers={"accept-language": "ru"}), root, **form)
    assert page.context["adminform"].form.errors.keys() == fields
    assert "последний действующий суперпользователь" in page.content.decode()
    root.refresh_from_db()
    assert root.is_active and root.is_superuser


def test_form_demotes_one_of_two(root, other):
    assert save(admin_for(root), root, is_staff="on", is_active="on").status_code == 302
    assert not User.objects.get(pk=root.pk).is_superuser
    page = save(admin_for(other), other, is_staff="on", is_superuser="on")
    assert page.context["adminform"].form.errors.keys() == {"is_active"}


def test_form_saves_the_names_of_the_last_one(root):
    form = {"is_active": "on", "is_staff": "on", "is_superuser": "on", "first_name": "Анна"}
    assert save(admin_for(root), root, **form).status_code == 302
    assert User.objects.get().first_name == "Анна"
