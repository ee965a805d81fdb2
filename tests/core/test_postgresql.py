"""Raw statements on PostgreSQL pass Django's cursor wrappers, and return the same with and without them."""

import runpy

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from querycount.middleware import QueryCountMiddleware  # type: ignore[import-untyped]

from core.db.postgresql import fetch
from identity.models import User
from tests.helpers.identity import PASSWORD
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db

URL = "/api/v1/incidents/"


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат")


def test_django_querycount_counts_raw_statements(api, incident, settings, rf):
    settings.DEBUG = True
    middleware = QueryCountMiddleware(lambda request: api.get(f"{URL}{incident.pk}/"))
    assert middleware(rf.get(URL))["X-DjangoQueryCount-Count"] == "1"


def test_django_querycount_takes_binary_values(client, settings, rf, monkeypatch):
    User.objects.create_user("chief", password=PASSWORD)
    monkeypatch.setenv("DEBUG", "True")
    settings.QUERYCOUNT = runpy.run_path("config/settings.py")["QUERYCOUNT"]
    settings.DEBUG = True
    body = {"username": "chief", "password": PASSWORD}

    def log_in(request):  # deletes failures by the hash of the name
        return client.post("/api/identity/auth/jwt/create/", body, content_type="application/json")

    middleware = QueryCountMiddleware(log_in)
    assert middleware(rf.get(URL)).status_code == 200


def test_execute_wrapper_sees_raw_statements(api, incident):
    seen = []

    def watch(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        api.get(f"{URL}{incident.pk}/")
    assert ["incidents_incident" in sql for sql in seen] == [True]


@pytest.mark.parametrize("path", ["", "?search=само", "?status=open,closed", "{pk}/", "{pk}/history/"])
def test_response_is_the_same_with_query_logging(api, incident, path, django_assert_max_num_queries):
    url = URL + path.format(pk=incident.pk)
    unlogged = api.get(url).content
    with django_assert_max_num_queries(3):
        assert api.get(url).content == unlogged


@pytest.mark.parametrize("logged", [False, True])
@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT 1 / %s", DataError),
        ("UPDATE incidents_incident SET updated_at = '2001-01-01' WHERE 1 = %s RETURNING 1", IntegrityError),
    ],
)
def test_errors_are_django_db_errors(incident, logged, sql, error):
    connection.force_debug_cursor = logged
    try:
        with pytest.raises(error), transaction.atomic():
            fetch(sql, [int(error is IntegrityError)])
    finally:
        connection.force_debug_cursor = False


def test_statement_in_a_failed_transaction_is_refused():
    with pytest.raises(TransactionManagementError):
        with transaction.atomic():
            transaction.set_rollback(True)
            fetch("SELECT 1", [])


def test_statements_of_the_orm_leave_the_prepared_ones_alone():
    """They contain their values: a hundred of them would take the place of all others."""
    sql = "SELECT %s || 'counted'"
    for number in range(7):
        fetch(sql, ["a"])
        for name in range(110):
            User.objects.filter(username=f"{number}-{name}").exists()
        with pytest.raises(DataError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / %s", [0])
    statements = {statement for (statement,) in fetch("SELECT statement FROM pg_prepared_statements", [])}
    assert "SELECT $1 || 'counted'" in statements
    assert not any("identity_user" in statement for statement in statements)
