"""Several `migrate` at once take turns, and what migrations do leaves the old code working."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from django.db import connection
from django_migration_linter import MigrationLinter


@contextmanager
def database(name):
    """An empty one beside the tests'."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def start(name):
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate"],
        env=os.environ | {"POSTGRES_DB": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.django_db(transaction=True)
def test_several_at_once():
    with database("migrated_at_once"):
        outputs = [process.communicate()[0] for process in [start("migrated_at_once") for _ in range(3)]]
    assert sum("No migrations to apply" in output for output in outputs) == 2, outputs
    assert not any("Traceback" in output for output in outputs), outputs


def test_migrations_work_beside_the_old_code(db):
    linter = MigrationLinter(
        include_apps=["core", "identity", "incidents"],
        all_warnings_as_errors=True,
        no_cache=True,
        # the old code only waits for them
        ignore_name=["0002_username_key", "0009_cover_updated", "0010_index_combinations"],
        quiet=["ok"],
    )
    linter.lint_all_migrations()
    assert linter.nb_total and not linter.has_errors
