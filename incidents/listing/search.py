"""
Case-insensitive substring match on the description, in which е finds ё.

PostgreSQL has the table of migration 0005_search, with an index of trigrams and one of numbers; SQLite reads the
descriptions.
"""

import re

from django.db import connection
from django.db.models import F, Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Replace, Upper
from django.db.models.lookups import Contains

# The parameter is a pattern(); incidents_fold() is of migration 0020_search_yo_as_ye.
CONTAINS = "text LIKE incidents_fold(%(search)s)"
# Trigrams of digits are few, and each is in many texts: the index of migration 0026_index_numbers is read in place of
# theirs, which LIKE with another collation cannot use. LIKE decides what is found.
CONTAINS_NUMBER = """(
  incidents_digits(text) @> incidents_digits(%(search)s) AND text COLLATE "C" LIKE incidents_fold(%(search)s)
)"""
FIVE_DIGITS = re.compile("[0-9]{5}")


def pattern(text: str) -> str:
    return f"%{connection.ops.prep_for_like_query(text)}%"


def contains_sql(text: str) -> str:
    """Returns the condition for PostgreSQL, on incidents_search."""
    return CONTAINS_NUMBER if FIVE_DIGITS.search(text) else CONTAINS


def found_sql(text: str) -> str:
    return f"FROM incidents_search WHERE {contains_sql(text)}"


def _fold(text: Combinable) -> Replace:
    """Does what incidents_fold() does on PostgreSQL; `Е` with a combining diaeresis is a `Ё` too."""
    ye, field = Value("Е"), TextField()
    return Replace(Replace(Upper(text), Value("Ё"), ye, output_field=field), Value("Е\u0308"), ye, output_field=field)


def contains(text: str) -> Q:
    """Returns the condition for the ORM, which SQLite goes by."""
    return Q(Contains(_fold(F("description")), _fold(Value(text))))
