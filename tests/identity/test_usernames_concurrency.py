from functools import partial

import pytest

from identity.models import User
from tests.helpers.api import api_for, errors
from tests.helpers.concurrency import at_once
from tests.helpers.identity import PASSWORD, send


@pytest.mark.django_db(transaction=True)
def test_one_of_three_requests_for_a_username_succeeds():
    root = User.objects.create_superuser("root")

    def create(username):
        return send(api_for(root), "post", body={"username": username, "password": PASSWORD})

    responses = at_once(*(partial(create, username) for username in ("sidorov", "SIDOROV", "Sidorov")))
    assert sorted(response.status_code for response in responses) == [201, 400, 400]
    assert all(errors(response) == [("unique", "username")] for response in responses if response.status_code == 400)
