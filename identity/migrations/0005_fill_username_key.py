from django.db import migrations

# The previous release, which serves during an upgrade, knows no username_key: it would insert NULL, and keep the key of
# an earlier username. What identity.usernames.username_key() gives for the letters that usernames may have since then;
# for others the next `migrate` corrects it.
POSTGRESQL = """
CREATE FUNCTION identity_user_fill_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.username_key := translate(lower(normalize(NEW.username, NFKC)), 'авеёкмнорстух', 'abeekmhopctyx');
  RETURN NEW;
END $$;
CREATE TRIGGER fill_key_insert BEFORE INSERT ON identity_user FOR EACH ROW
  WHEN (NEW.username_key IS NULL) EXECUTE FUNCTION identity_user_fill_key();
CREATE TRIGGER fill_key_update BEFORE UPDATE OF username ON identity_user FOR EACH ROW
  WHEN (NEW.username_key IS NULL
        OR NEW.username <> OLD.username AND NEW.username_key IS NOT DISTINCT FROM OLD.username_key)
  EXECUTE FUNCTION identity_user_fill_key();
"""


def forwards(apps, schema_editor):
    # SQLite is for development, where no two releases run at a time.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION identity_user_fill_key CASCADE")


class Migration(migrations.Migration):
    dependencies = [("identity", "0004_time_zone")]

    operations = [migrations.RunPython(forwards, backwards)]
