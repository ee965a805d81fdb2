from django.db import migrations

# PostgreSQL takes a disk that has to turn for granted, and reads all of the table where a part of an index would do; and
# it compiles what it takes for long, which takes longer than a search for a few words.
# For the service's role here alone, which needs no permission for it, from its next connection on. The name is asked
# for: a pooler may give the database another.
POSTGRESQL = """
DO $$ BEGIN
  EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I {}', current_database());
END $$
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL.format("SET random_page_cost = 1.1"), params=None)
        schema_editor.execute(POSTGRESQL.format("SET jit = off"), params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL.format("RESET random_page_cost"), params=None)
        schema_editor.execute(POSTGRESQL.format("RESET jit"), params=None)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0006_fill_search")]

    operations = [migrations.RunPython(forwards, backwards)]
