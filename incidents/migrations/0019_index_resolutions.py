from django.db import migrations, models


# Of conditions on JSON the planner knows nothing: it would look up each incident of a month one by one.
STATISTICS = """
CREATE STATISTICS IF NOT EXISTS incident_change_status
ON (changes #> '{status,0}'), (changes #> '{status,1}') FROM incidents_incidentchange
"""


def forwards(apps, schema_editor):
    _replace(apps, schema_editor, OLD, NEW)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(STATISTICS)
        schema_editor.execute("ANALYZE incidents_incidentchange")


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP STATISTICS IF EXISTS incident_change_status")
    _replace(apps, schema_editor, NEW, OLD)


def _replace(apps, schema_editor, old, new):
    change = apps.get_model("incidents", "IncidentChange")
    if schema_editor.connection.vendor == "postgresql":
        # Writers do not wait for it. An interrupted attempt leaves an invalid index.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new.name}")
        schema_editor.add_index(change, new, concurrently=True)
        # Without it the board of the release before reads longer, until its last process is replaced.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old.name}")
    else:
        schema_editor.add_index(change, new)
        schema_editor.remove_index(change, old)


OLD = models.Index(
    fields=["at", "incident"],
    name="incident_change_resolved",
    condition=models.Q(changes__status__1="resolved"),
)
NEW = models.Index(
    fields=["at", "incident"],
    name="incident_change_resolution",
    condition=models.Q(taken_by=None)
    & (
        models.Q(changes__status__1="resolved")
        | models.Q(changes__status__1="closed")
        & (
            models.Q(changes__status__0=None)
            | models.Q(changes__status__0="open")
            | models.Q(changes__status__0="in_progress")
        )
    ),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0018_change_taken_by")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[
                migrations.RemoveIndex("incidentchange", OLD.name),
                migrations.AddIndex("incidentchange", NEW),
            ],
        )
    ]
