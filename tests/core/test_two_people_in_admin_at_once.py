"""Several people save one page of the admin at once: PostgreSQL alone, since SQLite lets one writer in at a time."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.helpers.admin import form_of
from tests.helpers.concurrency import at_once
from tests.helpers.identity import USER_ADMIN

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browsers(admin_client):
    """Windows of one log-in."""
    clients = [Client() for _ in range(6)]
    for client in clients:
        client.cookies = admin_client.cookies
    return clients


def save_at_once(browsers, user, *edits):
    """The sorted status codes of a save of each edit of the same page."""
    url = f"{USER_ADMIN}{user.pk}/change/"
    form = form_of(browsers[0].get(url), "user_form")
    pairs = zip(browsers, edits, strict=True)
    responses = at_once(*[lambda one=one, edit=edit: one.post(url, form | edit) for one, edit in pairs])
    user.refresh_from_db()
    return sorted(response.status_code for response in responses)


def test_of_the_same_field_one_is_saved(browsers, user):
    codes = save_at_once(browsers, user, *[{"last_name": f"{number}"} for number in range(6)])
    assert codes == [200] * 5 + [302]
    assert user.last_name.isdigit()


def test_of_the_same_groups_one_is_saved(browsers, user):
    groups = [Group.objects.create(name=f"{number}") for number in range(6)]
    codes = save_at_once(browsers, user, *[{"groups": [group.pk]} for group in groups])
    assert codes == [200] * 5 + [302]
    assert user.groups.count() == 1


def test_different_fields_are_all_saved(browsers, user):
    group = Group.objects.create(name="night")
    fields = {"last_name": "a", "first_name": "b", "patronymic": "c", "time_zone": "UTC", "email": "a@b.example"}
    codes = save_at_once(browsers, user, *[{name: value} for name, value in fields.items()], {"groups": [group.pk]})
    assert codes == [302] * 6
    assert {name: getattr(user, name) for name in fields} == fields
    assert list(user.groups.all()) == [group]
