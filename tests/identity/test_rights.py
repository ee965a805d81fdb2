"""Only superusers change or delete superusers, and users grant only permissions that they have."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db.models.signals import pre_save

from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USER_ADMIN, admin_for, grant, send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

GROUP_ADMIN = "/api/admin/auth/group/"
FORBIDDEN = [("403 permission_denied", None)]


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root", email="root@example.org", password=PASSWORD)


@pytest.fixture
def manager(user):
    """Has every permission over users and groups, but is not a superuser."""
    grant(user, *(f"{do}_{model}" for do in ("view", "add", "change", "delete") for model in ("user", "group")))
    return user


@pytest.fixture
def desk(manager):
    return admin_for(manager)


def permission(codename):
    return Permission.objects.get(codename=codename)


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("method", ["patch", "put", "delete"])
def test_managers_cannot_change_superusers_by_the_api(api, manager, root, method, active):
    User.objects.filter(pk=root.pk).update(is_active=active)
    response = send(api, method, f"{root.pk}/", {"email": "mine@example.org"})
    assert (response.status_code, errors(response)) == (403, FORBIDDEN)
    assert User.objects.get(pk=root.pk).email == "root@example.org"


def test_api_shows_superusers_to_those_who_may_view_users(api, manager, root):
    assert send(api, "get", f"{root.pk}/").status_code == 200


def test_superusers_manage_superusers(root):
    other = User.objects.create_superuser("other")
    assert send(api_for(root), "patch", f"{other.pk}/", {"first_name": "Анна"}).status_code == 200
    assert send(api_for(root), "delete", f"{other.pk}/").status_code == 204


def test_api_lets_managers_change_and_delete_other_users(api, manager):
    other = User.objects.create_user("other")
    assert send(api, "patch", f"{other.pk}/", {"first_name": "Анна"}).json()["first_name"] == "Анна"
    assert send(api, "delete", f"{other.pk}/").status_code == 204


def test_deleting_a_user_who_recorded_incidents(root, api, user):
    body = {"description": "Самокат не в сети", "source": "operator"}
    headers = {"idempotency-key": "1"}
    pk = api.post("/api/v1/incidents/", body, "application/json", headers=headers).json()["id"]
    assert send(api_for(root), "delete", f"{user.pk}/").status_code == 204
    history = api_for(root).get(f"/api/v1/incidents/{pk}/history/").json()
    assert history["results"][0]["actor"] == "operator"


@pytest.mark.parametrize("path", ["change/", "password/", "delete/"])
def test_staff_cannot_change_superusers(desk, root, path):
    body = {"username": "root", "password1": "another horse", "password2": "another horse", "post": "yes"}
    assert desk.post(f"{USER_ADMIN}{root.pk}/{path}", body).status_code == 403
    root.refresh_from_db()
    assert root.is_active and root.check_password(PASSWORD)


def test_staff_cannot_grant_superuser_or_permissions(desk, user):
    body = {"username": "operator", "is_superuser": "on", "user_permissions": [permission("add_incident").pk]}
    desk.post(f"{USER_ADMIN}{user.pk}/change/", body)
    user.refresh_from_db()
    assert not user.is_superuser
    assert not user.user_permissions.filter(codename="add_incident").exists()


@pytest.mark.parametrize("through_group", [True, False])
def test_staff_cannot_set_the_password_of_a_user_with_more_permissions(desk, through_group):
    other = User.objects.create_user("other", password=PASSWORD)
    if through_group:
        other.groups.add(Group.objects.get(name="operators"))
    else:
        grant(other, "change_incident")
    body = {"password1": "another horse", "password2": "another horse"}
    assert desk.post(f"{USER_ADMIN}{other.pk}/password/", body).status_code == 403
    other.groups.clear()
    grant(other, "view_user")
    assert desk.post(f"{USER_ADMIN}{other.pk}/password/", body | {"set-password": "1"}).status_code == 302
    other.refresh_from_db()
    assert other.check_password("another horse")


def test_admin_password_page_of_an_unknown_user(desk):
    assert desk.get(f"{USER_ADMIN}999999/password/").status_code == 404
    assert desk.get(f"{USER_ADMIN}x/password/").status_code == 404


def test_groups_get_only_permissions_that_the_editor_has(desk, user):
    group = Group.objects.create(name="desk")
    user.groups.add(group)
    url = f"{GROUP_ADMIN}{group.pk}/change/"
    desk.post(url, {"name": "desk", "permissions": [permission("change_incident").pk]})
    assert not group.permissions.exists()
    assert desk.post(url, {"name": "desk", "permissions": [permission("change_user").pk]}).status_code == 302
    assert group.permissions.get().codename == "change_user"


def test_groups_are_created_only_with_permissions_that_the_editor_has(desk):
    desk.post(f"{GROUP_ADMIN}add/", {"name": "desk", "permissions": [permission("add_incident").pk]})
    assert not Group.objects.filter(name="desk").exists()


def test_staff_cannot_edit_groups_with_more_permissions(desk):
    group = Group.objects.get(name="operators")
    assert desk.post(f"{GROUP_ADMIN}{group.pk}/change/", {"name": "x", "permissions": []}).status_code == 403
    assert desk.post(f"{GROUP_ADMIN}{group.pk}/delete/", {"post": "yes"}).status_code == 403
    body = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    assert desk.post(GROUP_ADMIN, body).status_code == 403
    assert Group.objects.get(name="operators").permissions.count() == 3


def test_superusers_edit_groups(root):
    group = Group.objects.get(name="operators")
    body = {"name": "operators", "permissions": [permission("view_incident").pk]}
    assert admin_for(root).post(f"{GROUP_ADMIN}{group.pk}/change/", body).status_code == 302
    assert group.permissions.get().codename == "view_incident"


@pytest.fixture
def deactivated_meanwhile():
    """The user is deactivated between the read and the write of its own request."""

    def deactivate(**kwargs):
        User.objects.update(is_active=False)

    pre_save.connect(deactivate, sender=User)
    yield
    pre_save.disconnect(deactivate, sender=User)


def test_editing_oneself_does_not_undo_a_deactivation(api, deactivated_meanwhile):
    send(api, "patch", "me/", {"first_name": "Анна"})
    assert not User.objects.get().is_active


def test_changing_a_password_does_not_undo_a_deactivation(user, request):
    user.set_password(PASSWORD)
    user.save()
    api = api_for(user)
    request.getfixturevalue("deactivated_meanwhile")
    send(api, "post", "set_password/", {"current_password": PASSWORD, "new_password": "another horse"})
    assert not User.objects.get().is_active
