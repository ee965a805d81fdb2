"""The column `urgent`, by which the counts are grouped, too."""

from django.db import migrations, models

from core.db.operations import without_queueing

# The release before goes on beside it: what it inserts is not urgent, and it adds up the counts of both kinds.
POSTGRESQL = """
ALTER TABLE incidents_incident ADD COLUMN IF NOT EXISTS urgent boolean DEFAULT false NOT NULL;
ALTER TABLE incidents_countdelta ADD COLUMN IF NOT EXISTS urgent boolean DEFAULT false NOT NULL;
ALTER TABLE incidents_count ADD COLUMN IF NOT EXISTS urgent boolean DEFAULT false NOT NULL,
  DROP CONSTRAINT IF EXISTS incidents_count_day_status_source_key,
  DROP CONSTRAINT IF EXISTS incidents_count_once,
  ADD CONSTRAINT incidents_count_once UNIQUE NULLS NOT DISTINCT (day, status, source, urgent);
"""
POSTGRESQL_BACK = """
ALTER TABLE incidents_incident DROP COLUMN urgent;
ALTER TABLE incidents_countdelta DROP COLUMN urgent;
ALTER TABLE incidents_count DROP CONSTRAINT incidents_count_once;
WITH former AS (DELETE FROM incidents_count RETURNING *)
INSERT INTO incidents_count (day, status, source, n)
  SELECT day, status, source, sum(n) FROM former GROUP BY day, status, source;
ALTER TABLE incidents_count DROP COLUMN urgent, ADD UNIQUE NULLS NOT DISTINCT (day, status, source);
"""
# As in 0004_counts; {urgent} is a further column.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION incidents_count_fold() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In stricter isolation levels a row that another transaction has just folded would fail the writer's transaction.
  IF current_setting('transaction_isolation') <> 'read committed'
     OR NOT pg_try_advisory_xact_lock('incidents_count'::regclass::bigint) THEN
    RETURN;
  END IF;
  WITH folded AS (DELETE FROM incidents_countdelta RETURNING *)
  INSERT INTO incidents_count AS total (day, status, source{urgent}, n)
    SELECT day, status, source{urgent}, sum(n) FROM folded
    GROUP BY GROUPING SETS ((day, status, source{urgent}), (status, source{urgent})) HAVING sum(n) <> 0
    ON CONFLICT (day, status, source{urgent}) DO UPDATE SET n = total.n + excluded.n;
END $$;

CREATE OR REPLACE FUNCTION incidents_count_written() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  added bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO incidents_countdelta (day, status, source{urgent}, n)
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, status, source{urgent}, count(*)
      FROM after GROUP BY day, status, source{urgent};
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO incidents_countdelta (day, status, source{urgent}, n)
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, status, source{urgent}, -count(*)
      FROM before GROUP BY day, status, source{urgent};
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO incidents_countdelta (day, status, source{urgent}, n)
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, status, source{urgent}, sum(n)
      FROM (SELECT created_at, status, source{urgent}, 1 AS n FROM after
            UNION ALL SELECT created_at, status, source{urgent}, -1 FROM before) AS changed
      GROUP BY day, status, source{urgent} HAVING sum(n) <> 0;
  ELSE
    TRUNCATE incidents_count, incidents_countdelta;
  END IF;
  GET DIAGNOSTICS added = ROW_COUNT;
  IF random() * 50 < added THEN
    PERFORM incidents_count_fold();
  END IF;
  RETURN NULL;
END $$;
"""
NEWEST = models.Index(fields=["-created_at", "-id"], name="incident_urgent_newest", condition=models.Q(urgent=True))
STATUS_NEWEST = models.Index(
    fields=["status", "-created_at", "-id"], name="incident_urgent_status_newest", condition=models.Q(urgent=True)
)


def add_columns(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        without_queueing(schema_editor, POSTGRESQL + FUNCTIONS.format(urgent=", urgent"))
    elif not _has_column(schema_editor.connection):
        # By hand: Django would rebuild the table.
        schema_editor.execute("ALTER TABLE incidents_incident ADD COLUMN urgent bool NOT NULL DEFAULT 0")


def remove_columns(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        without_queueing(schema_editor, POSTGRESQL_BACK + FUNCTIONS.format(urgent=""))
    else:
        schema_editor.execute("ALTER TABLE incidents_incident DROP COLUMN urgent")


def _has_column(connection):
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "incidents_incident")
    return "urgent" in [column.name for column in columns]


def add_indexes(apps, schema_editor):
    incident = apps.get_model("incidents", "Incident")
    for index in (NEWEST, STATUS_NEWEST):
        # An interrupted attempt leaves it, invalid perhaps.
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            # Writers do not wait for it.
            schema_editor.add_index(incident, index, concurrently=True)
        else:
            schema_editor.execute(f"DROP INDEX IF EXISTS {index.name}")
            schema_editor.add_index(incident, index)


def remove_indexes(apps, schema_editor):
    for index in (NEWEST, STATUS_NEWEST):
        schema_editor.remove_index(apps.get_model("incidents", "Incident"), index)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0022_attachment")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_columns, remove_columns)],
            state_operations=[
                migrations.AddField(
                    "incident",
                    "urgent",
                    models.BooleanField(
                        choices=[(True, "yes"), (False, "no")], db_default=False, default=False, verbose_name="urgent"
                    ),
                )
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_indexes, remove_indexes)],
            state_operations=[migrations.AddIndex("incident", NEWEST), migrations.AddIndex("incident", STATUS_NEWEST)],
        ),
    ]
