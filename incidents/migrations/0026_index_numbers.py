"""An index of the numbers in the texts: trigrams of digits are few, and each is in many texts."""

from django.db import migrations

# Each five digits in a row, as a number: 123456 can only be where 12345 and 23456 are. Number by number, of fifty digits
# at most: what stands far behind in a text is found by reading all that is before it.
FUNCTION = """
CREATE OR REPLACE FUNCTION incidents_digits(value text) RETURNS integer[] LANGUAGE plpgsql IMMUTABLE STRICT
PARALLEL SAFE AS $$
DECLARE
  fives integer[] := '{}';
  number text := substring(value FROM '[0-9]{5,50}');
BEGIN
  WHILE number IS NOT NULL LOOP
    FOR start IN 1..length(number) - 4 LOOP
      fives := fives || substr(number, start, 5)::integer;
    END LOOP;
    value := substr(value, strpos(value, number) + length(number) - 4);
    number := substring(value FROM '[0-9]{5,50}');
  END LOOP;
  RETURN fives;
END $$
"""
INDEX = "incidents_search_numbers"


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(FUNCTION, params=None)
    # Writers do not wait for it. An interrupted attempt leaves an invalid index.
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
    # The limit is of the list that each search reads beside the index (the default is 4 MB). Without such a list, writing
    # costs half as much again.
    schema_editor.execute(
        f"CREATE INDEX CONCURRENTLY {INDEX} ON incidents_search USING gin (incidents_digits(text)) "
        "WITH (gin_pending_list_limit = 256)"
    )
    schema_editor.execute("ANALYZE incidents_search")  # how frequent the numbers are


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        schema_editor.execute("DROP FUNCTION IF EXISTS incidents_digits")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0025_taken_by")]

    operations = [migrations.RunPython(forwards, backwards)]
