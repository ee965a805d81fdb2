"""PostgreSQL and SQLite are used through the same functions."""

from inspect import getmembers, isfunction, signature

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from incidents.models import Incident
from incidents.store import postgresql, sqlite, store
from tests.helpers.incidents import make_incident


def functions(module):
    return {
        name: signature(function)
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_both_stores_have_the_same_functions():
    assert "insert_incident" in functions(postgresql)
    assert functions(postgresql) == functions(sqlite)


def test_the_store_is_that_of_the_database():
    assert store.__name__ == f"incidents.store.{connection.vendor}"


@pytest.mark.django_db
@pytest.mark.both_databases
def test_an_error_in_bulk_is_one_of_django():
    pk = make_incident().pk
    columns = ("id", "description", "status", "source", "created_at", "updated_at")
    with pytest.raises(IntegrityError), transaction.atomic():
        store.insert_rows(Incident, columns, [(pk, "Печь", "open", "operator", timezone.now(), timezone.now())])
    with pytest.raises(IntegrityError), transaction.atomic():
        store.update_rows(Incident, ("status",), [(pk, "unknown")])
