"""Migrations of a database that takes calls meanwhile."""

from threading import Event
from time import monotonic, sleep

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.helpers.concurrency import at_once


@pytest.fixture
def migrated_back(transactional_db):
    call_command("migrate", "intake", "0003", verbosity=0)
    yield
    call_command("migrate", "intake", verbosity=0)


def test_a_migration_and_a_call_do_not_wait_for_each_other(migrated_back):
    locked = Event()

    def waits():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'intake_sender'::regclass)"
            )
            return cursor.fetchone()[0]

    def process():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM intake_sender FOR NO KEY UPDATE")
            locked.set()
            deadline = monotonic() + 20
            while not waits() and monotonic() < deadline:
                sleep(0.01)
            cursor.execute("SELECT id FROM intake_episode")

    def migrate():
        assert locked.wait(20)
        call_command("migrate", "intake", verbosity=0)

    at_once(process, migrate)
