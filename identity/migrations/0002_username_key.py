"""Makes usernames unique regardless of case and look-alike letters: their keys go into a unique column."""

from collections import defaultdict

import django.core.validators
from django.core.management import CommandError
from django.db import migrations, models

from identity.usernames import username_key


def fill_keys(apps, schema_editor):
    """Raises CommandError and changes nothing if two usernames have the same key."""
    User = apps.get_model("identity", "User")
    users = defaultdict(list)
    for user in User.objects.only("username").order_by("pk"):
        user.username_key = username_key(user.username)
        users[user.username_key].append(user)
    clashes = [" and ".join(f"{user.username} (id {user.pk})" for user in same) for same in users.values() if len(same) > 1]
    if clashes:
        raise CommandError(
            "These usernames differ only in case or look-alike letters: "
            + "; ".join(clashes)
            + ". The previous release keeps working. Rename all but one of each, then migrate again: "
            "manage.py shell -c \"from identity.models import User; User.objects.filter(pk=ID).update(username='NEW')\""
        )
    User.objects.bulk_update((user for same in users.values() for user in same), ["username_key"], batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_user")]

    operations = [
        migrations.AlterModelManagers(name="user", managers=[]),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(
                error_messages={"unique": "A user with that username already exists."},
                help_text="Required. 150 characters or fewer. Latin or Russian letters (not both), digits and @/./+/-/_ only.",
                max_length=150,
                unique=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "^([A-Za-z0-9@.+_-]+|[А-ЯЁа-яё0-9@.+_-]+)\\Z",
                        "Enter a valid username: Latin or Russian letters (not both), digits and @/./+/-/_ only.",
                    )
                ],
                verbose_name="username",
            ),
        ),
        # Nullable, since the previous release inserts rows without it during an upgrade.
        migrations.AddField(
            model_name="user",
            name="username_key",
            field=models.CharField(editable=False, max_length=450, null=True, unique=True),
        ),
        migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True),
    ]
