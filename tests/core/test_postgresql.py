"""Raw statements on PostgreSQL are seen by Django's tools, and are the same whether seen or not."""

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from querycount.middleware import QueryCountMiddleware  # type: ignore[import-untyped]

from core.db.postgresql import fetch
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db

URL = "/api/v1/incidents/"


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат")


def test_django_querycount_counts_them(api, incident, settings, rf):
    settings.DEBUG = True
    middleware = QueryCountMiddleware(lambda request: api.get(f"{URL}{incident.pk}/"))
    assert middleware(rf.get(URL))["X-DjangoQueryCount-Count"] == "1"


def test_an_execute_wrapper_sees_them(api, incident):
    seen = []

    def watch(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        api.get(f"{URL}{incident.pk}/")
    assert ["incidents_incident" in sql for sql in seen] == [True]


@pytest.mark.parametrize("path", ["", "?search=само", "?status=open,closed", "{pk}/", "{pk}/history/"])
def test_a_response_is_the_same_watched_and_unwatched(api, incident, path, django_assert_max_num_queries):
    url = URL + path.format(pk=incident.pk)
    unwatched = api.get(url).content
    with django_assert_max_num_queries(3):
        assert api.get(url).content == unwatched


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT 1 / %s", DataError),
        ("UPDATE incidents_incident SET updated_at = '2001-01-01' WHERE 1 = %s RETURNING 1", IntegrityError),
    ],
)
def test_errors_are_those_of_django(incident, watched, sql, error):
    connection.force_debug_cursor = watched
    try:
        with pytest.raises(error), transaction.atomic():
            fetch(sql, [int(error is IntegrityError)])
    finally:
        connection.force_debug_cursor = False


def test_nothing_is_sent_in_a_transaction_that_has_failed():
    with pytest.raises(TransactionManagementError):
        with transaction.atomic():
            transaction.set_rollback(True)
            fetch("SELECT 1", [])
