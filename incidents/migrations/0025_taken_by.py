"""Who has taken an incident: a column that a trigger keeps by the history, whichever release or program writes that."""

from django.db import migrations, models, transaction
from django.db.models import Case, CharField, Max, OuterRef, Q, Subquery, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from core.db.operations import without_queueing

# Only entries that decide fire it, so that it costs reports nothing. `updated_at` stays: the entry's own change of the
# incident has moved it, or this is the first entry.
POSTGRESQL = """
CREATE OR REPLACE FUNCTION incidents_taken() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  taker varchar := coalesce(
    NEW.taken_by, NEW.changes #>> '{taken_by,1}',
    CASE NEW.changes #>> '{status,1}' WHEN 'in_progress' THEN NEW.actor ELSE '' END
  );
BEGIN
  -- Looked at first: an UPDATE of no row would call the triggers of the counts. Samples have the right value already.
  IF EXISTS (SELECT FROM incidents_incident WHERE id = NEW.incident_id AND taken_by <> taker) THEN
    UPDATE incidents_incident SET taken_by = taker WHERE id = NEW.incident_id;
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER taken_by AFTER INSERT ON incidents_incidentchange FOR EACH ROW WHEN (
  NEW.taken_by IS NOT NULL OR NEW.changes #> '{taken_by,1}' IS NOT NULL
  OR NEW.changes #>> '{status,1}' = 'in_progress'
  OR NEW.changes #>> '{status,1}' = 'open' AND NEW.changes #>> '{status,0}' IS NOT NULL
) EXECUTE FUNCTION incidents_taken();
"""
SQLITE = """
CREATE TRIGGER taken_by AFTER INSERT ON incidents_incidentchange WHEN
  NEW.taken_by IS NOT NULL OR NEW.changes ->> '$.taken_by[1]' IS NOT NULL
  OR NEW.changes ->> '$.status[1]' = 'in_progress'
  OR NEW.changes ->> '$.status[1]' = 'open' AND NEW.changes ->> '$.status[0]' IS NOT NULL
BEGIN
  UPDATE incidents_incident SET taken_by = coalesce(
    NEW.taken_by, NEW.changes ->> '$.taken_by[1]',
    CASE NEW.changes ->> '$.status[1]' WHEN 'in_progress' THEN NEW.actor ELSE '' END
  ) WHERE id = NEW.incident_id;
END
"""
COLUMN = "ALTER TABLE incidents_incident ADD COLUMN {}taken_by varchar(150) DEFAULT '' NOT NULL"
BATCH = 5_000  # incidents
NEWEST = models.Index(fields=["taken_by", "-created_at", "-id"], name="incident_taken_newest", condition=~Q(taken_by=""))
NOW = models.Index(
    fields=["taken_by", "-created_at", "-id"], name="incident_taken_now", condition=Q(status="in_progress")
)


def add_column(apps, schema_editor):
    # By hand: on SQLite Django would rebuild the table. PostgreSQL rewrites no row for a constant default.
    if schema_editor.connection.vendor == "postgresql":
        without_queueing(schema_editor, COLUMN.format("IF NOT EXISTS "))
        without_queueing(schema_editor, POSTGRESQL)
    elif not _has_column(schema_editor.connection):
        with transaction.atomic(schema_editor.connection.alias):
            schema_editor.execute(COLUMN.format(""))
            schema_editor.execute(SQLITE, params=None)


def _has_column(connection):
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "incidents_incident")
    return "taken_by" in [column.name for column in columns]


def remove_column(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        without_queueing(schema_editor, "DROP FUNCTION IF EXISTS incidents_taken CASCADE")
        without_queueing(schema_editor, "ALTER TABLE incidents_incident DROP COLUMN IF EXISTS taken_by")
    else:
        with transaction.atomic(schema_editor.connection.alias):
            schema_editor.execute("DROP TRIGGER taken_by")
            schema_editor.execute("ALTER TABLE incidents_incident DROP COLUMN taken_by")


def fill(apps, schema_editor):
    """
    Fills the column for the entries that were written before the trigger.

    Each batch locks its incidents and then reads their histories: a writer of an entry that decides has changed the
    incident's row first. It may be interrupted and started again.
    """
    incidents, changes = (apps.get_model("incidents", name).objects for name in ("Incident", "IncidentChange"))
    # Hand-overs are of a database that went back to the release before.
    handed_over, taken = Q(changes__has_key="taken_by"), Q(changes__status__1="in_progress")
    taking = taken | handed_over | Q(taken_by__isnull=False)
    decisive = changes.filter(taking | Q(changes__status__1="open"), incident=OuterRef("pk")).order_by("-id")
    taker = Case(
        When(taken_by__isnull=False, then="taken_by"),
        When(handed_over, then=KT("changes__taken_by__1")),
        When(taken, then="actor"),
        output_field=CharField(),
    )
    last = incidents.aggregate(Max("pk"))["pk__max"] or 0
    for start in range(0, last + 1, BATCH):
        found = changes.filter(taking, incident__gte=start, incident__lt=start + BATCH).values("incident")
        with transaction.atomic(schema_editor.connection.alias):
            batch = incidents.filter(pk__in=found, taken_by="").order_by("pk").select_for_update(no_key=True)
            pks = list(batch.values_list("pk", flat=True))
            last_taker = Coalesce(Subquery(decisive.values(taker=taker)[:1]), Value(""))
            incidents.filter(pk__in=pks).update(taken_by=last_taker)


def add_indexes(apps, schema_editor):
    incident = apps.get_model("incidents", "Incident")
    for index in (NEWEST, NOW):
        # An interrupted attempt leaves it, invalid perhaps.
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            schema_editor.add_index(incident, index, concurrently=True)  # writers do not wait for it
        else:
            schema_editor.execute(f"DROP INDEX IF EXISTS {index.name}")
            schema_editor.add_index(incident, index)


def remove_indexes(apps, schema_editor):
    for index in (NEWEST, NOW):
        schema_editor.remove_index(apps.get_model("incidents", "Incident"), index)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0024_duplicate_of")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_column, remove_column)],
            state_operations=[
                migrations.AddField(
                    "incident",
                    "taken_by",
                    models.CharField(
                        db_default="", default="", editable=False, max_length=150, verbose_name="taken by"
                    ),
                )
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_indexes, remove_indexes)],
            state_operations=[migrations.AddIndex("incident", NEWEST), migrations.AddIndex("incident", NOW)],
        ),
    ]
