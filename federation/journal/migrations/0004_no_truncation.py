"""The journal is not emptied either: row triggers see no TRUNCATE."""

from django.db import migrations

# The setting is the tests': Django empties every table after a test of whole transactions. The product never sets it.
FORWARD = """
CREATE FUNCTION journal_refuse_truncation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ilaas.may_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER the_journal_is_never_emptied
    BEFORE TRUNCATE ON journal_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
BACKWARD = """
DROP TRIGGER the_journal_is_never_emptied ON journal_auditevent;
DROP FUNCTION journal_refuse_truncation();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0003_by_time_and_object")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
