"""The admin's pages of users: rights by groups, no deletion, deactivation instead."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages

from identity.models import User
from tests.helpers.api import api_for
from tests.helpers.identity import USER_ADMIN, admin_for, grant

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root")


@pytest.fixture
def manager(db):
    manager = User.objects.create_user("manager")
    grant(manager, "view_user", "add_user", "change_user", "delete_user")
    return manager


def names(client, user):
    """The fields of a user's page."""
    response = client.get(f"{USER_ADMIN}{user.pk}/change/")
    names = [name for _, options in response.context["adminform"].fieldsets for name in options["fields"]]
    return {getattr(name, "__name__", name) for name in names}


def deactivate(client, *users):
    body = {"action": "deactivate", "_selected_action": [user.pk for user in users]}
    response = client.post(USER_ADMIN, body)
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_the_page_has_groups_and_no_list_of_permissions(root, manager, user):
    fields = {"username", "password", "email", "is_active", "is_staff", "groups", "time_zone", "telegram"}
    for viewer in (root, manager):
        shown = names(admin_for(viewer), user)
        assert shown >= fields and "user_permissions" not in shown


def test_superusers_see_and_revoke_permissions_outside_groups(root, manager, user):
    assert "user_permissions" in names(admin_for(root), manager)
    grant(user, "view_user")
    assert "user_permissions" not in names(admin_for(manager), user)


def test_an_operator_is_made_by_choosing_the_group(root, user):
    client, operators = admin_for(root), Group.objects.get(name="operators")
    form = {"username": "operator", "is_active": "on", "is_staff": "on", "groups": [operators.pk]}
    assert client.post(f"{USER_ADMIN}{user.pk}/change/", form).status_code == 302
    user.refresh_from_db()
    assert user.is_staff and user.has_perm("incidents.change_incident")


@pytest.mark.parametrize("who", ["root", "manager"])
def test_users_are_not_deleted_in_the_admin(request, who, user):
    client = admin_for(request.getfixturevalue(who))
    assert client.post(f"{USER_ADMIN}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(USER_ADMIN, {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()
    assert "delete_selected" not in client.get(USER_ADMIN).content.decode()


def test_deactivation_ends_tokens_and_sessions_at_once(root, user):
    api, desk = api_for(user), admin_for(user)
    assert deactivate(admin_for(root), user) == ["1 user was deactivated."]
    assert api.get("/api/v1/incidents/").status_code == 401
    assert desk.get("/api/admin/").status_code == 302
    assert LogEntry.objects.get().object_repr == "operator"


def test_managers_deactivate_neither_themselves_nor_superusers(root, manager, user):
    refused = "You cannot deactivate yourself, and only superusers deactivate superusers."
    assert deactivate(admin_for(manager), root, manager, user) == ["1 user was deactivated.", refused]
    assert deactivate(admin_for(root), root) == ["0 users were deactivated.", refused]
    assert set(User.objects.filter(is_active=True)) == {root, manager}


def test_permissions_of_groups_are_in_words_and_only_of_the_pages(root):
    page = admin_for(root, headers={"accept-language": "ru"}).get("/api/admin/auth/group/add/").content.decode()
    assert "Инциденты: можно изменять" in page and "Доставки: можно обрабатывать снова" in page
    assert "Can " not in page and "session" not in page
