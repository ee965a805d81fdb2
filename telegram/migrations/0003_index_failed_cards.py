from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telegram", "0002_sending")]

    operations = [
        # The board counts them.
        migrations.AddIndex(
            "card", models.Index(fields=["-id"], name="card_failed", condition=models.Q(failed=True))
        ),
    ]
