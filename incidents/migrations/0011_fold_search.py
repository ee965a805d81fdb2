from django.db import migrations

# PostgreSQL's upper() maps one character to one, with libc and with its builtin provider: ß, ŉ, ﬁ and a hundred
# others, whose upper case is several characters, stay as they are. Replacing them first makes a search equal to
# Python's str.upper(), which is used on SQLite.
EXPANDING = [character for character in map(chr, range(0x20000)) if len(character.upper()) > 1]  # planes with cases

FOLD = f"""
CREATE FUNCTION incidents_fold(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  letters text[];
  upper_case text[];
BEGIN
  IF strpos(value, E'\\r') > 0 THEN  -- written before line breaks were normalized
    value := regexp_replace(value, E'\\r\\n?', E'\\n', 'g');
  END IF;
  IF value ~ '[{"".join(EXPANDING)}]' THEN
    letters := '{{{",".join(EXPANDING)}}}';
    upper_case := '{{{",".join(character.upper() for character in EXPANDING)}}}';
    FOR i IN 1..cardinality(letters) LOOP
      value := replace(value, letters[i], upper_case[i]);
    END LOOP;
  END IF;
  RETURN upper(value);
END $$;
"""
WRITTEN = """
CREATE OR REPLACE FUNCTION incidents_search_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO incidents_search VALUES (NEW.id, {fold}(NEW.description));
  ELSIF TG_OP = 'UPDATE' THEN
    DELETE FROM incidents_search WHERE incident_id = OLD.id AND incident_id <> NEW.id;
    INSERT INTO incidents_search VALUES (NEW.id, {fold}(NEW.description))
      ON CONFLICT (incident_id) DO UPDATE SET text = excluded.text;
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM incidents_search WHERE incident_id IN (SELECT id FROM before);
  ELSE
    TRUNCATE incidents_search;
  END IF;
  RETURN NULL;
END $$;
"""


def forwards(apps, schema_editor):
    # The previous release searches with upper(): during an upgrade it misses new texts with such a character.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FOLD + WRITTEN.format(fold="incidents_fold"), params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(WRITTEN.format(fold="upper") + "DROP FUNCTION incidents_fold", params=None)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0010_index_combinations")]

    operations = [migrations.RunPython(forwards, backwards)]
