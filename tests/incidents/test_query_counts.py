"""How many queries each route makes, the user's included: the same for one row as for fifty."""

from tempfile import TemporaryFile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.actors import Named
from incidents.services import create_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат не в сети", "source": "operator"}


@pytest.fixture(params=[1, 50])
def pk(db, request):
    incidents = [create_incident(**BODY, actor=Named("a"), channel="api") for _ in range(request.param)]
    return incidents[0].pk


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "postgresql", "sqlite"),
    [
        ("get", "", None, {}, 1, 3),
        ("get", "?page_size=1&page=1&status=open,closed", None, {}, 2, 3),
        ("get", "?status=open&search=самокат&page_size=10", None, {}, 1, 3),
        ("get", "{pk}/", None, {}, 1, 2),
        ("get", "{pk}/", None, {"if-none-match": "*"}, 1, 2),
        ("get", "{pk}/history/", None, {}, 3, 4),
        ("post", "", BODY, {}, 1, 3),
        ("patch", "{pk}/", {"status": "closed"}, {}, 2, 5),
        ("patch", "{pk}/", {"status": "open"}, {}, 1, 2),
        ("patch", "{pk}/", {"status": "closed"}, {"if-match": '"other"'}, 1, 2),
    ],
)
def test_queries(api, pk, method, path, body, headers, postgresql, sqlite):
    options = {"content_type": "application/json"} if body else {}
    count = statements_of_postgresql if connection.vendor == "postgresql" else statements_of_sqlite
    sent = count(lambda: getattr(api, method)(URL + path.format(pk=pk), body, headers=headers, **options))
    assert len(sent) == {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor], sent


def statements_of_postgresql(call):
    """Seen where they leave the process: not all go through Django's cursor."""
    with TemporaryFile("w+") as trace:
        connection.connection.pgconn.trace(trace.fileno())
        call()
        connection.connection.pgconn.untrace()
        trace.seek(0)
        return [line for line in trace if line.split("\t")[1:4:2] in (["F", "Bind"], ["F", "Query"])]


def statements_of_sqlite(call):
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured if query["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
