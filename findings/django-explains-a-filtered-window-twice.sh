#!/bin/sh
# Django 6.1.3: QuerySet.explain() of a query that filters by a window function (SQLite of Python; PostgreSQL fails alike).
#
# Expected: explain() shows the plan of the query that the QuerySet would run
# (https://docs.djangoproject.com/en/6.1/ref/models/querysets/#explain), which works: filters by window functions are
# supported since Django 4.2.
# Seen: the prefix EXPLAIN is written twice, before the statement and before the subquery that it is wrapped in: a syntax error.
# What it means here: plans are explained from the SQL of the query; no code of the service calls explain().
#
# Needs python3 (3.12) with venv. Exits with 1 if the behaviour changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install Django==6.1.3 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import django
from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()

from django.db import DatabaseError, connection, models
from django.db.models import Window
from django.db.models.functions import RowNumber


class Event(models.Model):
    incident = models.IntegerField()

    class Meta:
        app_label = "probe"


with connection.schema_editor() as editor:
    editor.create_model(Event)
for number in (1, 1, 2):
    Event.objects.create(incident=number)
oldest = Event.objects.annotate(place=Window(RowNumber(), partition_by="incident", order_by="pk")).filter(place=1)
print("Django", django.get_version())
rows = sorted(event.pk for event in oldest)
print("the query:", rows)
try:
    error = ""
    print("explain():", oldest.explain())
except DatabaseError as exc:
    error = str(exc)
    print("explain():", error)
sys.exit(rows != [1, 3] or "syntax error" not in error)
PYTHON
