from django.db import migrations
from django.db.models import CheckConstraint, Q

from core.db.operations import AddCheck


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("intake", "0001_inbox")]

    operations = [
        AddCheck(
            "sender",
            CheckConstraint(condition=Q(source__in=["operator", "monitoring", "partner"]), name="sender_source_known"),
        ),
        AddCheck(
            "delivery",
            CheckConstraint(
                condition=Q(state__in=["pending", "processed", "skipped", "faulty"]), name="delivery_state_known"
            ),
        ),
    ]
