from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0005_fill_username_key")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                choices=[("", "As the browser"), ("en", "English"), ("ru", "Русский")],
                db_default="",
                default="",
                help_text="Of these pages.",
                max_length=8,
                verbose_name="language",
            ),
        ),
    ]
