from django.db import migrations, models


def forwards(apps, schema_editor):
    schema_editor.execute("ALTER TABLE incidents_incidentchange ADD COLUMN taken_by varchar(150)")


def backwards(apps, schema_editor):
    schema_editor.execute("ALTER TABLE incidents_incidentchange DROP COLUMN taken_by")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0017_check_choices")]

    operations = [
        # By hand: on SQLite Django would rebuild the table, and drop the triggers that make it append-only.
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(forwards, backwards)],
            [
                migrations.AddField(
                    "incidentchange", "taken_by", models.CharField(editable=False, max_length=150, null=True)
                )
            ],
        )
    ]
