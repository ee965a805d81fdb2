from django.db import migrations

# Triggers keep the counts, so that no writer can bypass them. A writer only inserts rows into incidents_countdelta: an
# UPDATE of a shared counter would serialize all writers. About every fiftieth writer folds the deltas into
# incidents_count; a lock lets one of several do it. A snapshot sees either the deltas or the folded counts, never both.
POSTGRESQL = """
-- day: in UTC; rows with NULL are the sums over all days.
CREATE TABLE incidents_count (
  day date, status varchar(16) NOT NULL, source varchar(16) NOT NULL, n bigint NOT NULL,
  UNIQUE NULLS NOT DISTINCT (day, status, source)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE TABLE incidents_countdelta (
  day date NOT NULL, status varchar(16) NOT NULL, source varchar(16) NOT NULL, n bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

CREATE FUNCTION incidents_count_fold() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In stricter isolation levels a row that another transaction has just folded would fail the writer's transaction.
  IF current_setting('transaction_isolation') <> 'read committed'
     OR NOT pg_try_advisory_xact_lock('incidents_count'::regclass::bigint) THEN
    RETURN;
  END IF;
  WITH folded AS (DELETE FROM incidents_countdelta RETURNING *)
  INSERT INTO incidents_count AS total (day, status, source, n)
    SELECT day, status, source, sum(n) FROM folded
    GROUP BY GROUPING SETS ((day, status, source), (status, source)) HAVING sum(n) <> 0
    ON CONFLICT (day, status, source) DO UPDATE SET n = total.n + excluded.n;
END $$;

CREATE FUNCTION incidents_count_written() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  added bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO incidents_countdelta
      SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, count(*) FROM after GROUP BY 1, 2, 3;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO incidents_countdelta
      SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, -count(*) FROM before GROUP BY 1, 2, 3;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO incidents_countdelta
      SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, sum(n)
      FROM (SELECT created_at, status, source, 1 AS n FROM after
            UNION ALL SELECT created_at, status, source, -1 FROM before) AS changed
      GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
  ELSE
    TRUNCATE incidents_count, incidents_countdelta;
  END IF;
  GET DIAGNOSTICS added = ROW_COUNT;
  IF random() * 50 < added THEN
    PERFORM incidents_count_fold();
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER count_insert AFTER INSERT ON incidents_incident REFERENCING NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_count_written();
CREATE TRIGGER count_update AFTER UPDATE ON incidents_incident REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_count_written();
CREATE TRIGGER count_delete AFTER DELETE ON incidents_incident REFERENCING OLD TABLE AS before
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_count_written();
CREATE TRIGGER count_truncate AFTER TRUNCATE ON incidents_incident
  FOR EACH STATEMENT EXECUTE FUNCTION incidents_count_written();

-- Writers wait for this from the creation of the triggers on, about five seconds with ten million rows, so that each
-- row is counted exactly once.
INSERT INTO incidents_countdelta
  SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, count(*) FROM incidents_incident GROUP BY 1, 2, 3;
SELECT incidents_count_fold();
"""


def forwards(apps, schema_editor):
    # SQLite counts the rows: it is for development.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "DROP FUNCTION incidents_count_written, incidents_count_fold CASCADE;"
            "DROP TABLE incidents_count, incidents_countdelta"
        )


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_operators")]

    operations = [migrations.RunPython(forwards, backwards)]
