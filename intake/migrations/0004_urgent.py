from django.db import migrations, models, transaction

from core.db.operations import without_queueing

COLUMNS = {
    "intake_sender": "varchar(400) DEFAULT '' NOT NULL",
    "intake_episode": "boolean DEFAULT false NOT NULL",
}


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Each alone: together they would wait for a call that has locked its sender and then reads the episodes.
        for table, column in COLUMNS.items():
            without_queueing(schema_editor, f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS urgent {column}")
    else:
        with transaction.atomic(schema_editor.connection.alias):
            for table, column in COLUMNS.items():
                schema_editor.execute(f"ALTER TABLE {table} ADD COLUMN urgent {column}")


def backwards(apps, schema_editor):
    for table in COLUMNS:
        if schema_editor.connection.vendor == "postgresql":
            without_queueing(schema_editor, f"ALTER TABLE {table} DROP COLUMN IF EXISTS urgent")
        else:
            schema_editor.execute(f"ALTER TABLE {table} DROP COLUMN urgent")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("intake", "0003_content_types_and_varied_descriptions")]

    operations = [
        # By hand: Django would lock both tables in one transaction.
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(forwards, backwards)],
            [
                migrations.AddField("episode", "urgent", models.BooleanField(db_default=False, default=False)),
                migrations.AddField(
                    "sender",
                    "urgent",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text=(
                            "PATH=VALUE or PATH=VALUE,VALUE, for example labels.severity=critical. The path begins at "
                            "the alert of Alertmanager or Grafana, at the issue or event of Sentry, otherwise at the "
                            "call. Empty: nothing is urgent."
                        ),
                        max_length=400,
                        verbose_name="urgent where",
                    ),
                ),
            ],
        )
    ]
