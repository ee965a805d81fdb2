"""The columns of the chat keep their names: the previous release reads them."""

from django.db import migrations, models

STATES = [
    ("new", "waits to be sent"),
    ("sending", "waits to be sent"),
    ("unknown", "waits to be sent"),
    ("shown", "shown"),
    ("outdated", "waits to be sent"),
    ("failed", "failed"),
]


class Migration(migrations.Migration):
    dependencies = [("telegram", "0006_plan_reminders")]

    operations = [
        migrations.AddField(
            "card",
            "state",
            models.CharField(choices=STATES, db_default="new", default="new", max_length=8, verbose_name="state"),
        ),
        # The previous release writes it still; 0008 takes it out of use.
        migrations.AlterField(
            "card", "failed", models.BooleanField(db_default=False, default=False, verbose_name="failed")
        ),
        migrations.AlterField(
            "chat",
            "rests_until",
            models.DateTimeField(db_column="rests_until", editable=False, null=True, verbose_name="paused until"),
        ),
        migrations.RenameField("chat", "rests_until", "paused_until"),
        migrations.AlterField(
            "chat",
            "rest_reason",
            models.CharField(
                blank=True, db_column="rest_reason", editable=False, max_length=255, verbose_name="paused because"
            ),
        ),
        migrations.RenameField("chat", "rest_reason", "pause_reason"),
    ]
