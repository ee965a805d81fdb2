"""Whether the database can do what search needs. Run by `migrate` and `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connections, transaction

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
