"""The journal only grows: the database itself refuses to change or remove an event."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION journal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER the_journal_only_grows
    BEFORE UPDATE OR DELETE ON journal_auditevent
    FOR EACH ROW EXECUTE FUNCTION journal_refuse_change();
"""
BACKWARD = """
DROP TRIGGER the_journal_only_grows ON journal_auditevent;
DROP FUNCTION journal_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("journal", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
