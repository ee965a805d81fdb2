from django.db import migrations, models


def forwards(apps, schema_editor):
    change = apps.get_model("incidents", "IncidentChange")
    if schema_editor.connection.vendor == "postgresql":
        # Writers do not wait for it. An interrupted attempt leaves an invalid index.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}")
        schema_editor.add_index(change, INDEX, concurrently=True)
    else:
        schema_editor.add_index(change, INDEX)


def backwards(apps, schema_editor):
    schema_editor.remove_index(apps.get_model("incidents", "IncidentChange"), INDEX)


INDEX = models.Index(
    fields=["channel", "-at", "-incident"],
    name="incident_change_created",
    condition=models.Q(changes__status__0=None),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0013_unmanaged_tables")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[migrations.AddIndex("incidentchange", INDEX)],
        )
    ]
