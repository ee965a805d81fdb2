from django.db import migrations, models

import core.log.context


def forwards(apps, schema_editor):
    schema_editor.execute("ALTER TABLE incidents_incidentchange ADD COLUMN request_id varchar(128) DEFAULT '' NOT NULL")


def backwards(apps, schema_editor):
    schema_editor.execute("ALTER TABLE incidents_incidentchange DROP COLUMN request_id")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0015_index_resolved")]

    operations = [
        # By hand: on SQLite Django would rebuild the table, and drop the triggers that make it append-only. PostgreSQL
        # rewrites no row for a constant default.
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(forwards, backwards)],
            [
                migrations.AddField(
                    "incidentchange",
                    "request_id",
                    models.CharField(
                        db_default="", default=core.log.context.current_request_id, editable=False, max_length=128
                    ),
                )
            ],
        )
    ]
