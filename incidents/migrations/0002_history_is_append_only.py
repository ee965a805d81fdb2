from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION incidents_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON incidents_incidentchange
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_refuse();
"""
SQLITE = """
CREATE TRIGGER append_only_{event} BEFORE {event} ON incidents_incidentchange
BEGIN SELECT RAISE(ABORT, 'incidents_incidentchange is append-only'); END
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)
    else:
        for event in ("UPDATE", "DELETE"):
            schema_editor.execute(SQLITE.format(event=event), params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION incidents_refuse CASCADE")
    else:
        for event in ("update", "delete"):
            schema_editor.execute(f"DROP TRIGGER append_only_{event}")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_incident")]

    operations = [migrations.RunPython(forwards, backwards)]
