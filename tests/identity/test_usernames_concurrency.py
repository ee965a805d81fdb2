import threading

import pytest
from django.db import connection

from identity.models import User
from tests.conftest import api_for, errors
from tests.helpers.identity import PASSWORD, send


@pytest.mark.django_db(transaction=True)
def test_one_of_three_requests_for_a_username_succeeds(fast_hashes):
    root, responses = User.objects.create_superuser("root"), []

    def run(username):
        responses.append(send(api_for(root), "post", body={"username": username, "password": PASSWORD}))
        connection.close()

    threads = [threading.Thread(target=run, args=[username]) for username in ("sidorov", "SIDOROV", "Sidorov")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(response.status_code for response in responses) == [201, 400, 400]
    assert all(errors(response) == [("unique", "username")] for response in responses if response.status_code == 400)
