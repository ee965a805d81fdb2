from django.db import migrations, models
from django.db.models import Case, CheckConstraint, Q, Value, When

from core.db.operations import AddCheck

BATCH = 5_000
INDEX = models.Index(fields=["-id"], name="card_state_failed", condition=Q(state="failed"))
STATE = Case(
    When(failed=True, due_at=None, then=Value("failed")),
    When(due_at=None, then=Value("shown")),
    When(message_id__gt=0, then=Value("outdated")),
    When(send_began_at__isnull=False, then=Value("sending")),
    When(sends_unknown__gt=0, then=Value("unknown")),
    default=Value("new"),
)


def fill(apps, schema_editor):
    """What the previous release writes meanwhile, the job corrects when it starts."""
    cards = apps.get_model("telegram", "Card").objects
    done = 0
    while batch := list(cards.filter(pk__gt=done).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        cards.filter(pk__range=(batch[0], batch[-1])).exclude(state=STATE).update(state=STATE)
        done = batch[-1]


def add_index(apps, schema_editor):
    card = apps.get_model("telegram", "Card")
    if schema_editor.connection.vendor == "postgresql":
        # Writers do not wait for it. An interrupted attempt leaves an invalid index.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}")
        schema_editor.add_index(card, INDEX, concurrently=True)
    else:
        schema_editor.add_index(card, INDEX)


def remove_index(apps, schema_editor):
    schema_editor.remove_index(apps.get_model("telegram", "Card"), INDEX)


class NotYetOnPostgreSQL:
    """The previous release reads the column and its index there: the next one drops them."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class RemoveIndex(NotYetOnPostgreSQL, migrations.RemoveIndex):
    pass


class RemoveField(NotYetOnPostgreSQL, migrations.RemoveField):
    pass


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("telegram", "0007_card_state")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        RemoveIndex("card", "card_failed"),
        RemoveField("card", "failed"),
        AddCheck(
            "card",
            CheckConstraint(
                condition=Q(state__in=["new", "sending", "unknown", "shown", "outdated", "failed"]),
                name="card_state_known",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_index, remove_index)],
            state_operations=[migrations.AddIndex("card", INDEX)],
        ),
    ]
