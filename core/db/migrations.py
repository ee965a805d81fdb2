from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def is_migration_missing() -> bool:
    return not MigrationRecorder(connection).applied_migrations().keys() >= _known_migrations()


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Returns app and name of each migration in the code; cached for the process."""
    return frozenset(MigrationLoader(None).graph.nodes)
