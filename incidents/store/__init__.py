"""
What PostgreSQL and SQLite do differently: two modules with the same functions, one of which is `store`.

PostgreSQL gets statements of its own, SQLite the ORM's.
"""

from typing import TYPE_CHECKING

from django.db import connection

# mypy reads one of them; tests/incidents/test_store.py compares their signatures.
if TYPE_CHECKING or connection.vendor == "postgresql":
    from incidents.store import postgresql as store
else:
    from incidents.store import sqlite as store

__all__ = ["store"]
