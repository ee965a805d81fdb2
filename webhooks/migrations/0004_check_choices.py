from django.db import migrations
from django.db.models import CheckConstraint, Q

from core.db.operations import AddCheck


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("webhooks", "0003_index_for_metrics")]

    operations = [
        AddCheck(
            "event",
            CheckConstraint(condition=Q(state__in=["pending", "delivered", "failed"]), name="webhook_event_state_known"),
        ),
    ]
