import pytest
from django.contrib.auth.models import Group

from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.identity import PASSWORD, USERS, admin_for, grant, send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NEW = {"username": "sidorov", "password": PASSWORD, "email": "s@example.org", "patronymic": "Ильич"}


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root")


def test_registration_is_closed(client, api):
    assert errors(send(client, "post", body=NEW)) == [("401 not_authenticated", None)]
    assert errors(send(api, "post", body=NEW)) == [("403 permission_denied", None)]
    assert not User.objects.filter(username="sidorov").exists()


def test_creating_users_requires_the_permission(root, user, api):
    response = send(api_for(root), "post", body=NEW)
    assert response.status_code == 201
    assert response.json() == {
        "id": User.objects.get(username="sidorov").pk,
        "username": "sidorov",
        "email": "s@example.org",
        "first_name": "",
        "last_name": "",
        "patronymic": "Ильич",
    }
    grant(user, "add_user")
    assert send(api, "post", body=NEW | {"username": "akhmetov", "is_superuser": True}).status_code == 201
    assert not User.objects.get(username="akhmetov").is_superuser


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"username": "operator", "password": NEW["password"]}, ("unique", "username")),
        ({"username": "x", "password": "12345"}, ("password_too_short", "password")),
        ({"username": "a b", "password": NEW["password"]}, ("invalid", "username")),
        ({"username": "x"}, ("required", "password")),
    ],
)
def test_faults_of_a_new_user(root, user, body, fault):
    response = send(api_for(root), "post", body=body)
    assert response.status_code == 400
    assert fault in errors(response)


def test_users_see_and_edit_only_themselves(user, api, root):
    assert send(api, "get", "me/").json()["username"] == "operator"
    assert send(api, "get", f"{user.pk}/").json() == send(api, "get", "me").json()
    response = send(api, "patch", "me/", {"first_name": "Анна", "email": "anna@example.org"})
    assert (response.status_code, response.json()["first_name"]) == (200, "Анна")
    for method in ("get", "patch", "put"):
        assert errors(send(api, method, f"{root.pk}/")) == [("404 not_found", None)]
        assert errors(send(api, method, "999999/")) == [("404 not_found", None)]
    assert errors(send(api, "get")) == [("403 permission_denied", None)]
    for path in ("me/", f"{user.pk}/", f"{root.pk}/"):
        assert errors(send(api, "delete", path)) == [("403 permission_denied", None)]


def test_users_cannot_grant_themselves_rights(user, api):
    for path in ("me/", f"{user.pk}/"):
        body = {"is_staff": True, "is_superuser": True, "is_active": False, "groups": [1], "username": "root", "id": 5}
        assert send(api, "patch", path, body).status_code == 200
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser, user.is_active, user.username) == (False, False, True, "operator")


def test_listing_and_deleting_require_the_permission(user, api):
    other = User.objects.create_user("other")
    grant(user, "view_user")
    page = send(api, "get").json()
    assert [row["username"] for row in page["results"]] == ["operator", "other"]
    assert page["count"] == 2
    assert send(api, "get", f"{other.pk}/").status_code == 200
    assert send(api, "patch", f"{other.pk}/", {"first_name": "x"}).status_code == 404
    grant(user, "view_user", "delete_user")
    assert api.delete(f"{USERS}{other.pk}/").status_code == 204
    assert User.objects.get() == user


def test_set_password_requires_the_current_one(user, api):
    user.set_password(PASSWORD)
    user.save()
    api = api_for(user)
    bad = send(api, "post", "set_password/", {"current_password": "wrong", "new_password": "another horse battery"})
    assert (bad.status_code, errors(bad)[0][1]) == (400, "current_password")
    weak = send(api, "post", "set_password/", {"current_password": PASSWORD, "new_password": "123"})
    assert {attr for _, attr in errors(weak)} == {"new_password"}


@pytest.mark.parametrize("password", ["12345", "password", "operator1", "x" * 4097])
def test_faults_of_a_password_have_the_same_codes_wherever_it_is_set(root, password):
    operator = User.objects.create_user("operator1", password=PASSWORD)
    change = {"current_password": PASSWORD, "new_password": password}
    changed = errors(send(api_for(operator), "post", "set_password/", change))
    created = errors(send(api_for(root), "post", body={"username": "operator12", "password": password}))
    codes = [code for code, attr in changed if attr == "new_password"]
    assert codes == [code for code, attr in created if attr == "password"]
    assert codes and "invalid" not in codes


@pytest.mark.parametrize(
    "path", ["activation/", "resend_activation/", "reset_password/", "set_username/", "me/x", "x/"]
)
def test_other_djoser_routes_are_not_exposed(api, path):
    for method in ("get", "post"):
        assert errors(send(api, method, path)) == [("404 not_found", None)]


def test_operators_group_has_only_incident_permissions():
    permissions = Group.objects.get(name="operators").permissions
    codenames = set(permissions.values_list("codename", flat=True))
    assert codenames == {"view_incident", "add_incident", "change_incident"}


def test_russian_names_in_the_admin(root):
    client = admin_for(root, headers={"accept-language": "ru"})
    user = User.objects.create_user("i", last_name="Петрова", first_name="Анна", patronymic="Ильинична")
    assert user.get_full_name() == "Петрова Анна Ильинична"
    page = client.get(f"/api/admin/identity/user/{user.pk}/change/").content.decode()
    assert "Отчество" in page and "Ильинична" in page
    assert "Отчество" in client.get("/api/admin/identity/user/").content.decode()
