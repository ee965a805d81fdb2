from django.db import migrations
from django.db.models import Max

BATCH = 10_000


def forwards(apps, schema_editor):
    """Concurrent writers wait for one batch at most. It may be interrupted and started again."""
    if schema_editor.connection.vendor != "postgresql":
        return
    last = apps.get_model("incidents", "Incident").objects.aggregate(Max("id"))["id__max"] or 0
    for start in range(0, last + 1, BATCH):
        schema_editor.execute(
            "INSERT INTO incidents_search SELECT id, upper(description) FROM incidents_incident"
            " WHERE id >= %s AND id < %s ON CONFLICT (incident_id) DO NOTHING",
            [start, start + BATCH],
        )
    schema_editor.execute("ANALYZE incidents_search")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0005_search")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
