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
FOUND = "FROM incidents_search WHERE text LIKE incidents_fold(%(search)s)"


def pattern(text: str) -> str:
    return f"%{connection.ops.prep_for_like_query(text)}%"


def mentions(text: str) -> Q:
    text = normalize_line_breaks(text)
    if connection.vendor == "postgresql":
        return Q(pk__in=RawSQL(f"SELECT incident_id {FOUND % {'search': '%s'}}", [pattern(text)]))  # noqa: S611
    return Q(Contains(Upper(F("description")), Upper(Value(text))))
