"""Search takes ё for е, also where ё is written as е with a combining diaeresis (U+0308)."""

from importlib import import_module

from django.db import migrations
from django.db.models import Max

BATCH = 10_000
FOLD = import_module("incidents.migrations.0011_fold_search").FOLD.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
YO_AS_YE = FOLD.replace("RETURN upper(value)", r"RETURN replace(replace(upper(value), U&'\0401', U&'\0415'), U&'\0415\0308', U&'\0415')")
# Texts in which the fold of 0011 and this one differ. As in 0012, the row lock makes concurrent changes wait.
REFOLD = r"""
WITH stale AS (
  SELECT incident.id, incidents_fold(description) AS text
  FROM incidents_incident AS incident JOIN incidents_search AS search ON search.incident_id = incident.id
  WHERE incident.id >= %s AND incident.id < %s AND search.text <> incidents_fold(description)
  ORDER BY incident.id FOR NO KEY UPDATE OF incident
)
UPDATE incidents_search SET text = stale.text FROM stale WHERE incident_id = stale.id
"""


def replace_fold(apps, schema_editor, fold=YO_AS_YE):
    # Until the texts are folded anew, a search for a word with ё misses older incidents.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(fold, params=None)


def refold(apps, schema_editor):
    """Concurrent writers wait for one batch at most. It may be interrupted and started again."""
    if schema_editor.connection.vendor != "postgresql":
        return
    last = apps.get_model("incidents", "Incident").objects.aggregate(Max("id"))["id__max"] or 0
    for start in range(0, last + 1, BATCH):
        schema_editor.execute(REFOLD, [start, start + BATCH])


def backwards(apps, schema_editor):
    replace_fold(apps, schema_editor, FOLD)
    refold(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0019_index_resolutions")]

    operations = [migrations.RunPython(replace_fold, migrations.RunPython.noop), migrations.RunPython(refold, backwards)]
