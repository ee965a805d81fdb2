from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0007_tune_planner")]

    operations = [
        # Reads all rows under a lock: one or two seconds with ten million.
        migrations.AddConstraint(
            "incident",
            models.CheckConstraint(
                condition=models.Q(updated_at__gte=models.F("created_at")), name="incident_created_then_updated"
            ),
        )
    ]
