"""A key that is named for a trial, or taken off it, is a change of what its requests may ask."""

from django.db import migrations

FORWARD = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON access_trial DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change('principals');
"""
BACKWARD = "DROP TRIGGER routing_notes_a_change ON access_trial;"


class Migration(migrations.Migration):
    dependencies = [("routing", "0004_limits_and_guests"), ("access", "0005_trials")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
