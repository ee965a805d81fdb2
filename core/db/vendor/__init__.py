"""What PostgreSQL and SQLite do differently for any app: two modules with the same functions, one is `database`."""

from typing import TYPE_CHECKING

from django.db import connection

# mypy reads one of them; tests/core/test_vendor.py compares their signatures.
if TYPE_CHECKING or connection.vendor == "postgresql":
    from core.db.vendor import postgresql as database
else:
    from core.db.vendor import sqlite as database

__all__ = ["database"]
