"""Concurrent `migrate` commands, and migrations that are compatible with the previous release."""

import os
import subprocess
import sys

import pytest
from django_migration_linter import MigrationLinter

from tests.helpers.database import database


def start(name):
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate"],
        env=os.environ | {"POSTGRES_DB": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_concurrent_migrate_commands_take_turns():
    with database("migrated_at_once"):
        outputs = [process.communicate()[0] for process in [start("migrated_at_once") for _ in range(3)]]
    assert sum("No migrations to apply" in output for output in outputs) == 2, outputs
    assert not any("Traceback" in output for output in outputs), outputs


def test_migrations_are_backward_compatible(db):
    linter = MigrationLinter(
        include_apps=["core", "identity", "incidents", "intake", "telegram", "webhooks"],
        all_warnings_as_errors=True,
        no_cache=True,
        # these only make the old code wait; those of Telegram belong to the release that brings its app
        ignore_name=[
            *("0002_username_key", "0009_cover_updated", "0010_index_combinations", "0003_index_for_metrics"),
            *("0002_sending", "0003_index_failed_cards"),
        ],
        quiet=["ok"],
    )
    linter.lint_all_migrations()
    assert linter.nb_total and not linter.has_errors
