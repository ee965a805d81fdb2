from django.db import migrations

# random_page_cost: the default assumes spinning disks, so that the planner prefers sequential scans to index scans.
# jit: compiling a plan takes longer than a search. Both are set for the service's role in this database only, which
# needs no privilege, and apply from its next connection on. current_database(): a pooler may use another name.
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
