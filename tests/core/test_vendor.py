"""What the databases do differently is called by the same functions."""

from inspect import getmembers, isfunction, signature

from django.db import connection

from core.db import postgresql, sqlite
from core.db.vendor import database


def functions(module):
    return {
        name: signature(function)
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_postgresql_has_the_functions_of_sqlite():
    assert "is_read_only" in functions(sqlite)
    assert functions(sqlite).items() <= functions(postgresql).items()


def test_the_database_is_that_of_the_settings():
    assert database.__name__ == f"core.db.{connection.vendor}"
