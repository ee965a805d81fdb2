from django.db import migrations

# PostgreSQL's upper() maps a letter to one letter, by libc and by its builtin provider alike: of ß, ŉ, ﬁ and a hundred
# others, whose upper case is several letters, it knows nothing. With them replaced first, a search finds what Python's
# str.upper() would, which SQLite searches with.
EXPANDING = [character for character in map(chr, range(0x110000)) if len(character.upper()) > 1]

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
    # The old code searches with upper(): until it is replaced, it misses the new texts that have such a letter.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FOLD + WRITTEN.format(fold="incidents_fold"), params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(WRITTEN.format(fold="upper") + "DROP FUNCTION incidents_fold", params=None)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0010_index_combinations")]

    operations = [migrations.RunPython(forwards, backwards)]
