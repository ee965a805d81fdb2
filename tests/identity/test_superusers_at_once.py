"""Two superusers that remove each other, or themselves, at the same moment: one of them remains."""

from functools import partial

import pytest

from identity.models import User
from tests.helpers.api import api_for
from tests.helpers.concurrency import at_once
from tests.helpers.identity import PASSWORD, USER_ADMIN, admin_for, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair():
    return [User.objects.create_superuser(name, password=PASSWORD) for name in ("root", "other")]


def delete_oneself(user):
    return partial(send, api_for(user), "delete", "me/", {"current_password": PASSWORD})


def remaining():
    return User.objects.filter(is_active=True, is_superuser=True).count()


def test_both_delete_themselves(pair):
    responses = at_once(*map(delete_oneself, pair))
    assert sorted(response.status_code for response in responses) == [204, 403]
    assert remaining() == 1


def test_each_deletes_the_other(pair):
    calls = [partial(send, api_for(user), "delete", f"{other.pk}/") for user, other in (pair, pair[::-1])]
    at_once(*calls)
    assert remaining() == 1


def test_each_deactivates_itself_in_the_form(pair):
    form = {"is_staff": "on", "is_superuser": "on"}
    clients = [(admin_for(user), user) for user in pair]
    at_once(
        *(
            partial(client.post, f"{USER_ADMIN}{user.pk}/change/", {"username": user.username, **form})
            for client, user in clients
        )
    )
    assert remaining() == 1


def test_each_deactivates_the_other_in_the_list(pair):
    clients = [(admin_for(user), other) for user, other in (pair, pair[::-1])]
    at_once(
        *(
            partial(client.post, USER_ADMIN, {"action": "deactivate", "_selected_action": [other.pk]})
            for client, other in clients
        )
    )
    assert remaining() == 1


def test_one_deletes_itself_while_the_other_deactivates_itself(pair):
    root, other = pair
    form = {"username": "other", "is_staff": "on", "is_superuser": "on"}
    deactivate = partial(admin_for(other).post, f"{USER_ADMIN}{other.pk}/change/", form)
    at_once(delete_oneself(root), deactivate)
    assert remaining() == 1
