from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# A separate table for the text: an UPDATE of an incident writes every index of its table, and a trigram index costs
# more than the rest of a change of the status. The text is stored in upper case, so that a search need not fold it.
POSTGRESQL = """
CREATE TABLE incidents_search (incident_id bigint PRIMARY KEY, text text NOT NULL);
CREATE INDEX incidents_search_text ON incidents_search USING gin (text gin_trgm_ops);

CREATE FUNCTION incidents_search_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO incidents_search VALUES (NEW.id, upper(NEW.description));
  ELSIF TG_OP = 'UPDATE' THEN
    DELETE FROM incidents_search WHERE incident_id = OLD.id AND incident_id <> NEW.id;
    -- The next migration, which fills the table, may not have reached this row yet, or may do so concurrently.
    INSERT INTO incidents_search VALUES (NEW.id, upper(NEW.description))
      ON CONFLICT (incident_id) DO UPDATE SET text = excluded.text;
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM incidents_search WHERE incident_id IN (SELECT id FROM before);
  ELSE
    TRUNCATE incidents_search;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER search_insert AFTER INSERT ON incidents_incident
  FOR EACH ROW EXECUTE FUNCTION incidents_search_written();
CREATE TRIGGER search_update AFTER UPDATE OF id, description ON incidents_incident FOR EACH ROW
  WHEN (OLD.id <> NEW.id OR OLD.description <> NEW.description) EXECUTE FUNCTION incidents_search_written();
CREATE TRIGGER search_delete AFTER DELETE ON incidents_incident REFERENCING OLD TABLE AS before
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_search_written();
CREATE TRIGGER search_truncate AFTER TRUNCATE ON incidents_incident
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_search_written();
"""


def forwards(apps, schema_editor):
    # SQLite scans the descriptions: it is for development.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION incidents_search_written CASCADE; DROP TABLE incidents_search")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0004_counts")]

    operations = [TrigramExtension(), migrations.RunPython(forwards, backwards)]
