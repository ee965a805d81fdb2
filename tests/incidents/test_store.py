"""PostgreSQL and SQLite are used through the same functions."""

from inspect import getmembers, isfunction, signature

from django.db import connection

from incidents.store import postgresql, sqlite, store


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
