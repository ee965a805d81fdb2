import django.db.models.deletion
from django.db import migrations, models, transaction

from core.db.operations import without_queueing

COLUMN = "ALTER TABLE incidents_incident ADD COLUMN {}duplicate_of_id bigint"
REFERENCES = "REFERENCES incidents_incident (id) DEFERRABLE INITIALLY DEFERRED"
NAME = "incident_duplicate_of_known"
INDEX = models.Index(
    fields=["duplicate_of"], name="incident_duplicates", condition=models.Q(duplicate_of__isnull=False)
)


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Nothing waits for a scan of the table. An interrupted attempt leaves the column, or an invalid index.
        without_queueing(
            schema_editor,
            COLUMN.format("IF NOT EXISTS "),
            f"ALTER TABLE incidents_incident DROP CONSTRAINT IF EXISTS {NAME}",
            f"ALTER TABLE incidents_incident ADD CONSTRAINT {NAME} FOREIGN KEY (duplicate_of_id) {REFERENCES} NOT VALID",
        )
        schema_editor.execute(f"ALTER TABLE incidents_incident VALIDATE CONSTRAINT {NAME}")
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}")
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX.name} ON incidents_incident (duplicate_of_id) "
            "WHERE duplicate_of_id IS NOT NULL"
        )
    else:
        with transaction.atomic(schema_editor.connection.alias):
            schema_editor.execute(f"{COLUMN.format('')} {REFERENCES}")
            schema_editor.execute(
                f"CREATE INDEX {INDEX.name} ON incidents_incident (duplicate_of_id) WHERE duplicate_of_id IS NOT NULL"
            )


def backwards(apps, schema_editor):
    statements = f"DROP INDEX {INDEX.name}", "ALTER TABLE incidents_incident DROP COLUMN duplicate_of_id"
    if schema_editor.connection.vendor == "postgresql":
        without_queueing(schema_editor, *statements)
    else:
        for statement in statements:
            schema_editor.execute(statement)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0023_urgent")]

    operations = [
        # By hand: Django would validate the key and build the index while writers wait.
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(forwards, backwards)],
            [
                migrations.AddField(
                    "incident",
                    "duplicate_of",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="duplicates",
                        to="incidents.incident",
                        verbose_name="duplicate of",
                    ),
                ),
                migrations.AddIndex("incident", INDEX),
            ],
        )
    ]
