from django.conf import settings
from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Coalesce


def note_planned(apps, schema_editor):
    """The reminders that there are were planned by the intervals that hold now."""
    minutes = Coalesce("remind_after_minutes", Value(settings.TELEGRAM_REMIND_AFTER_MINUTES))
    apps.get_model("telegram", "Chat").objects.update(planned_minutes=minutes)


class Migration(migrations.Migration):
    dependencies = [("telegram", "0005_check_choices")]

    operations = [
        migrations.AddField("chat", "planned_minutes", models.PositiveIntegerField(editable=False, null=True)),
        migrations.AddField("card", "remind_from", models.DateTimeField(null=True)),
        migrations.RunPython(note_planned, migrations.RunPython.noop),
    ]
