"""How many queries each route makes, the user's included: the same for one row as for fifty."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.services import create_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат не в сети", "source": "operator"}


@pytest.fixture(params=[1, 50])
def pk(db, request):
    incidents = [create_incident(**BODY, actor="a", channel="api") for _ in range(request.param)]
    return incidents[0].pk


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "queries"),
    [
        ("get", "", None, {}, 3),
        ("get", "?status=open&search=самокат&page_size=10", None, {}, 3),
        ("get", "{pk}/", None, {}, 2),
        ("get", "{pk}/", None, {"if-none-match": "*"}, 2),
        ("get", "{pk}/history/", None, {}, 3),
        ("post", "", BODY, {}, 3),
        ("patch", "{pk}/", {"status": "closed"}, {}, 4),
        ("patch", "{pk}/", {"status": "open"}, {}, 2),
        ("patch", "{pk}/", {"status": "closed"}, {"if-match": '"other"'}, 2),
    ],
)
def test_queries(api, pk, method, path, body, headers, queries):
    options = {"content_type": "application/json"} if body else {}
    with CaptureQueriesContext(connection) as captured:
        getattr(api, method)(URL + path.format(pk=pk), body, headers=headers, **options)
    sent = [query["sql"] for query in captured if query["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
    assert len(sent) == queries, sent
