from django.db import migrations, models

import identity.time_zones


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_rename_login_failure_fields")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Of the times on these pages, for example Europe/Moscow. Empty: the service's own.",
                max_length=64,
                validators=[identity.time_zones.validate_time_zone],
                verbose_name="time zone",
            ),
        ),
    ]
