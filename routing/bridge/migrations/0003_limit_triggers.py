"""Limits, and the institutions' names that a refusal tells, are a part of the principals' section."""

from django.db import migrations

TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change({sections});
"""
DROP = "DROP TRIGGER routing_notes_a_change ON {table};"


class Migration(migrations.Migration):
    dependencies = [("routing", "0002_change_triggers"), ("access", "0002_limits")]
    operations = [
        migrations.RunSQL(
            TRIGGER.format(table="access_limit", sections="'principals'"),
            DROP.format(table="access_limit"),
        ),
        migrations.RunSQL(
            DROP.format(table="members_institution")
            + TRIGGER.format(table="members_institution", sections="'servers', 'principals'"),
            DROP.format(table="members_institution")
            + TRIGGER.format(table="members_institution", sections="'servers'"),
        ),
    ]
