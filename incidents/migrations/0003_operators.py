from django.db import migrations


def make_group(apps, schema_editor):
    """Creates the group of users who work with incidents in the admin. Its permissions are created here, since Django
    creates them only after all migrations."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    content_type, _ = ContentType.objects.get_or_create(app_label="incidents", model="incident")
    operators, _ = Group.objects.get_or_create(name="operators")
    for action in ("view", "add", "change"):
        permission, _ = Permission.objects.get_or_create(
            codename=f"{action}_incident", content_type=content_type, defaults={"name": f"Can {action} incident"}
        )
        operators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0002_history_is_append_only"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_group, migrations.RunPython.noop)]
