from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("incidents", "0013_unmanaged_tables")]

    operations = [
        # Writers wait for it: two seconds with two million changes.
        migrations.AddIndex(
            "incidentchange",
            models.Index(
                fields=["at", "incident"],
                name="incident_change_resolved",
                condition=Q(changes__status__1="resolved"),
            ),
        ),
    ]
