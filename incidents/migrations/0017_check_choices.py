from django.db import migrations
from django.db.models import CheckConstraint, Q

from core.db.operations import AddCheck


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0016_change_request_id")]

    operations = [
        AddCheck(
            "incident",
            CheckConstraint(
                condition=Q(status__in=["open", "in_progress", "resolved", "closed"]), name="incident_status_known"
            ),
        ),
        AddCheck(
            "incident",
            CheckConstraint(condition=Q(source__in=["operator", "monitoring", "partner"]), name="incident_source_known"),
        ),
    ]
