"""How many queries each route makes, the user's and savepoints included: the same for one row as for fifty."""

import pytest
from django.db import connection

from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат не в сети", "source": "operator"}


@pytest.fixture(params=[1, 50])
def pk(db, request):
    incidents = [make_incident() for _ in range(request.param)]
    return incidents[0].pk


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "postgresql", "sqlite"),
    [
        ("get", "", None, {}, 1, 3),
        ("get", "?page_size=1&page=1&status=open,closed", None, {}, 2, 3),
        ("get", "?urgent=true&status=open", None, {}, 1, 3),
        ("get", "?status=open&search=самокат&page_size=10", None, {}, 1, 3),
        ("get", "{pk}/", None, {}, 1, 2),
        ("get", "{pk}/", None, {"if-none-match": "*"}, 1, 2),
        ("get", "{pk}/history/", None, {}, 3, 4),
        ("get", "{pk}/urgent/", None, {}, 1, 2),
        ("put", "{pk}/urgent/", {"urgent": True}, {}, 2, 7),
        ("put", "{pk}/urgent/", {"urgent": False}, {}, 1, 2),
        ("post", "", BODY, {}, 1, 5),
        ("patch", "{pk}/", {"status": "closed"}, {}, 2, 7),
        ("patch", "{pk}/", {"status": "open"}, {}, 1, 2),
        ("patch", "{pk}/", {"status": "closed"}, {"if-match": '"other"'}, 1, 2),
    ],
)
def test_queries(api, pk, method, path, body, headers, postgresql, sqlite, django_assert_num_queries):
    options = {"content_type": "application/json"} if body else {}
    with django_assert_num_queries({"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]):
        getattr(api, method)(URL + path.format(pk=pk), body, headers=headers, **options)
