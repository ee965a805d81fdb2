"""The history of an incident may be deleted together with it; an index finds the keys that hold an incident."""

from django.db import migrations, models

POSTGRESQL = """
CREATE OR REPLACE FUNCTION incidents_refuse_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM incidents_incident WHERE id = OLD.incident_id) THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
  END IF;
  RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE ON incidents_incidentchange
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_refuse();
CREATE OR REPLACE TRIGGER append_only_alone BEFORE DELETE ON incidents_incidentchange
  FOR EACH ROW EXECUTE FUNCTION incidents_refuse_alone();
"""
POSTGRESQL_BACK = """
DROP FUNCTION incidents_refuse_alone CASCADE;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON incidents_incidentchange
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_refuse();
"""
SQLITE = """
CREATE TRIGGER append_only_DELETE BEFORE DELETE ON incidents_incidentchange
{condition} BEGIN SELECT RAISE(ABORT, 'incidents_incidentchange is append-only'); END
"""
ALONE = "WHEN EXISTS (SELECT 1 FROM incidents_incident WHERE id = OLD.incident_id)"
INDEX = models.Index(fields=["incident"], name="idempotency_key_incident")


def _write_triggers(schema_editor, postgresql, condition):
    # An interrupted attempt leaves them.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(postgresql, params=None)
    else:
        schema_editor.execute("DROP TRIGGER IF EXISTS append_only_DELETE")
        schema_editor.execute(SQLITE.format(condition=condition), params=None)


def forwards(apps, schema_editor):
    _write_triggers(schema_editor, POSTGRESQL, ALONE)
    key = apps.get_model("incidents", "IdempotencyKey")
    if schema_editor.connection.vendor == "postgresql":
        # Writers do not wait for it. An interrupted attempt leaves an invalid index.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}")
        schema_editor.add_index(key, INDEX, concurrently=True)
    else:
        schema_editor.add_index(key, INDEX)


def backwards(apps, schema_editor):
    _write_triggers(schema_editor, POSTGRESQL_BACK, "")
    schema_editor.remove_index(apps.get_model("incidents", "IdempotencyKey"), INDEX)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0020_search_yo_as_ye")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forwards, backwards)],
            state_operations=[migrations.AddIndex("idempotencykey", INDEX)],
        )
    ]
