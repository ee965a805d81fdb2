"""Names for people only: no SQL."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("telegram", "0003_index_failed_cards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="telegram_id",
            field=models.BigIntegerField(primary_key=True, serialize=False, verbose_name="Telegram id"),
        ),
        migrations.AlterField(
            model_name="account",
            name="user",
            field=models.ForeignKey(
                on_delete=models.deletion.CASCADE,
                related_name="telegram_accounts",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
    ]
