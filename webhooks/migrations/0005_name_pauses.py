"""Names the fields by what the code says. The columns stay: replicas of the release before are still running."""

from django.db import migrations, models

REASONS = [("failing", "No attempt succeeded for a day"), ("gone", "The receiver wants no more: 410")]


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0004_check_choices")]

    operations = [
        migrations.AlterField(
            "subscription",
            "rests_since",
            models.DateTimeField(db_column="rests_since", editable=False, null=True, verbose_name="rests since"),
        ),
        migrations.AlterField(
            "subscription",
            "rest_reason",
            models.CharField(
                blank=True,
                choices=REASONS,
                db_column="rest_reason",
                editable=False,
                max_length=16,
                verbose_name="reason",
            ),
        ),
        migrations.RenameField("subscription", "rests_since", "paused_since"),
        migrations.RenameField("subscription", "rest_reason", "pause_reason"),
    ]
