from django.db import migrations, models


def forwards(apps, schema_editor):
    event = apps.get_model("webhooks", "Event")
    for index in INDEXES:
        if schema_editor.connection.vendor == "postgresql":
            # Writers do not wait for it. An interrupted attempt leaves an invalid index.
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            schema_editor.add_index(event, index, concurrently=True)
        else:
            schema_editor.add_index(event, index)


def backwards(apps, schema_editor):
    for index in INDEXES:
        schema_editor.remove_index(apps.get_model("webhooks", "Event"), index)


# The foreign keys: without them each incident that is archived would read the whole table.
INDEXES = [models.Index(fields=[field], name=f"webhook_event_{field}") for field in ("incident", "change")]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("webhooks", "0005_name_pauses"), ("incidents", "0021_archive")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[migrations.AddIndex("event", index) for index in INDEXES],
        )
    ]
