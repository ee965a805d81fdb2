#!/bin/sh
# Django 6.1.3: FilteredRelation over a foreign key that may not be null.
#
# Expected: FilteredRelation puts its condition into the ON clause of the join, so that rows without a match stay and have
# nulls (https://docs.djangoproject.com/en/6.1/ref/models/querysets/#filteredrelation-objects).
# Seen: over a foreign key that may not be null the join is INNER, because without the condition each row has a match. With
# it, rows without a match are gone, and nothing warns of it. Over a nullable foreign key they stay, in the same query.
# What it means here: the board's medians would have left out incidents older than its weeks. incidents/store/postgresql.py
# has the LEFT JOIN written out; tests/incidents/test_reports.py has such incidents.
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

from django.db import connection, models
from django.db.models import FilteredRelation, Q


class Incident(models.Model):
    year = models.IntegerField()

    class Meta:
        app_label = "probe"


class Change(models.Model):
    incident = models.ForeignKey(Incident, models.CASCADE, related_name="+")
    same = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="+")

    class Meta:
        app_label = "probe"


with connection.schema_editor() as editor:
    editor.create_model(Incident)
    editor.create_model(Change)
for year in (2025, 2026):
    incident = Incident.objects.create(year=year)
    Change.objects.create(incident=incident, same=incident)
print("Django", django.get_version())
seen = {}
for name in ("incident", "same"):
    recent = FilteredRelation(name, condition=Q(**{f"{name}__year__gte": 2026}))
    query = Change.objects.annotate(recent=recent).order_by("pk").values_list("pk", "recent__year")
    seen[name] = list(query)
    print(f"{name}: {seen[name]}\n  {query.query}")
sys.exit(seen != {"incident": [(2, 2026)], "same": [(1, None), (2, 2026)]})
PYTHON
