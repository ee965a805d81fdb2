from django.db import migrations
from django.db.models import Max

BATCH = 10_000
# The row lock makes concurrent changes wait, and re-reads rows that changed in between: no newer text is overwritten.
REFOLD = """
WITH stale AS (
  SELECT incident.id, incidents_fold(description) AS text
  FROM incidents_incident AS incident JOIN incidents_search AS search ON search.incident_id = incident.id
  WHERE incident.id >= %s AND incident.id < %s AND search.text <> incidents_fold(description)
  ORDER BY incident.id FOR NO KEY UPDATE OF incident
)
UPDATE incidents_search SET text = stale.text FROM stale WHERE incident_id = stale.id
"""


def forwards(apps, schema_editor):
    """Concurrent writers wait for one batch at most. It may be interrupted and started again."""
    if schema_editor.connection.vendor != "postgresql":
        return
    last = apps.get_model("incidents", "Incident").objects.aggregate(Max("id"))["id__max"] or 0
    for start in range(0, last + 1, BATCH):
        schema_editor.execute(REFOLD, [start, start + BATCH])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0011_fold_search")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
