from django.db import migrations
from django.db.models import CheckConstraint, Q

from core.db.operations import AddCheck


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("telegram", "0004_names_of_accounts")]

    operations = [
        AddCheck("chat", CheckConstraint(condition=Q(mode__in=["all", "command"]), name="chat_mode_known")),
        AddCheck(
            "chat",
            CheckConstraint(condition=Q(source__in=["operator", "monitoring", "partner"]), name="chat_source_known"),
        ),
    ]
