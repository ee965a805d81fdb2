"""A statement that the server ends, for whatever reason of its own, is 503; PostgreSQL has the SQLSTATEs."""

import json

import pytest
from django.db import connection

from tests.helpers.api import errors

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"description": "x", "source": "operator"}


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("57P01", "57P02", "57P03", "57014"),  # a shutdown, a crash, a start; a cancelled statement
        *("25006", "25P03", "25P04"),  # read-only; idle in a transaction, or in it for too long
        *("08006", "40001", "53300", "58030"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_statement_that_the_server_ends_is_503(api, sqlstate, method):
    def fail(execute, sql, params, many, context):
        return execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$", (), many, context)

    api.raise_request_exception = False
    with connection.execute_wrapper(fail):
        response = api.generic(method, "/api/v1/incidents/", json.dumps(BODY), "application/json")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert int(response["Retry-After"]) > 0
