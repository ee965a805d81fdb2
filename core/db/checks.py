"""Whether the database can do what search needs, and the replica is one. By `migrate`, `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

from core.db import replica

WORD = "самокат"
HINT = (
    "Make another database with createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8, and restore a dump "
    "into it: docs/operations.md."
)


@checks.register(checks.Tags.database)
def check_search(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    return [
        warning
        for alias in databases or []
        if connections[alias].vendor == "postgresql"
        for warning in _warnings(alias)
    ]


@checks.register(checks.Tags.database)
def check_replica(databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    if DEFAULT_DB_ALIAS not in (databases or []) or not replica.is_configured():
        return []
    try:
        primary, _ = _server(DEFAULT_DB_ALIAS)
        cluster, is_standby = _server(replica.REPLICA)
    except DatabaseError:
        hint = "What DATABASE_REPLICA_URL names does not answer, or not to this user."
        return [checks.Warning("The replica cannot be asked: all reads go to the primary.", hint, id="core.W009")]
    if cluster != primary:
        hint = "DATABASE_REPLICA_URL is for a standby that streams from the server of DATABASE_URL."
        return [checks.Error("The replica is a copy of another database.", hint, id="core.E010")]
    if not is_standby:
        hint = "DATABASE_REPLICA_URL leads to a primary."
        return [checks.Warning("The replica is no standby: all reads go to the primary.", hint, id="core.W011")]
    return []


def _server(alias: str) -> tuple[int, bool]:
    """Returns what a primary and its standbys have in common, and whether it is a standby. Raises DatabaseError."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT system_identifier, pg_is_in_recovery() FROM pg_control_system()")
        identifier, is_standby = cursor.fetchone()
    return identifier, is_standby


def _warnings(alias: str) -> list[checks.CheckMessage]:
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_encoding'), upper(%s) = %s", [WORD, WORD.upper()])
        encoding, knows_case = cursor.fetchone()
    if encoding != "UTF8":
        return [
            checks.Warning(f"The database's encoding is {encoding}: it cannot keep every text.", HINT, id="core.W006")
        ]
    if not knows_case:
        return [
            checks.Warning(
                "The database's locale does not know Cyrillic: search finds only the case that is typed, and is slow.",
                HINT,
                id="core.W007",
            )
        ]
    if _has_trigrams(alias):
        return []
    return [
        checks.Warning(
            "The database's LC_CTYPE does not know Cyrillic. pg_trgm goes by it, whatever the locale provider knows: a "
            "search reads all incidents.",
            HINT,
            id="core.W008",
        )
    ]


def _has_trigrams(alias: str) -> bool:
    try:
        with transaction.atomic(alias), connections[alias].cursor() as cursor:
            # Before the first migration: it is taken back.
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute("SELECT cardinality(show_trgm(%s)) > 0", [WORD])
            (has_trigrams,) = cursor.fetchone()
            transaction.set_rollback(True, alias)
    except DatabaseError:  # no right to create it, or a read-only server
        return True
    return bool(has_trigrams)
