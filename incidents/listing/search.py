"""
Case-insensitive substring match on the description.

PostgreSQL has the table and the index of migration 0005_search; SQLite reads the descriptions.
"""

from django.db import connection
from django.db.models import F, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Upper
from django.db.models.lookups import Contains

from incidents.text import normalize_line_breaks

# The parameter is a pattern(); incidents_fold() is of migration 0011_fold_search.
CONTAINS = "text LIKE incidents_fold(%(search)s)"
FOUND = f"FROM incidents_search WHERE {CONTAINS}"


def pattern(text: str) -> str:
    return f"%{connection.ops.prep_for_like_query(text)}%"


def mentions(*texts: str) -> Q:
    """Descriptions that contain each of the texts, in any order."""
    texts = tuple(map(normalize_line_breaks, texts))
    if connection.vendor == "postgresql":
        # In one condition, so that one scan of the index finds what has all of them.
        found = " AND ".join([CONTAINS % {"search": "%s"}] * len(texts))
        return Q(pk__in=RawSQL(f"SELECT incident_id FROM incidents_search WHERE {found}", list(map(pattern, texts))))  # noqa: S608, S611
    return Q(*(Contains(Upper(F("description")), Upper(Value(text))) for text in texts))
