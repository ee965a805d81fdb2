"""What the databases do differently is called by the same functions."""

from inspect import getmembers, isfunction, signature

from django.db import connection

from core.db.vendor import database, postgresql, sqlite


def functions(module):
    return {
        name: signature(function)
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_both_modules_have_the_same_functions():
    assert "is_read_only" in functions(sqlite)
    assert functions(sqlite) == functions(postgresql)


def test_the_database_is_that_of_the_settings():
    assert database.__name__ == f"core.db.vendor.{connection.vendor}"
