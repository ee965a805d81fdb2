"""Renames fields only. The columns keep their names, which the previous release uses during an upgrade."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_username_key")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="loginfailure", name="login_failure_recent"),
                migrations.AlterField(
                    model_name="loginfailure",
                    name="at",
                    field=models.DateTimeField(db_column="at", db_index=True, default=django.utils.timezone.now),
                ),
                migrations.RenameField(model_name="loginfailure", old_name="at", new_name="created_at"),
                migrations.AlterField(
                    model_name="loginfailure",
                    name="account",
                    field=models.BinaryField(db_column="account", max_length=32),
                ),
                migrations.RenameField(model_name="loginfailure", old_name="account", new_name="username_hash"),
                migrations.AddIndex(
                    model_name="loginfailure",
                    index=models.Index(fields=["address", "-created_at"], name="login_failure_recent"),
                ),
            ]
        )
    ]
