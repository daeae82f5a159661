"""A new version of a model's minimum service is a change of the router's table, too."""

from django.db import migrations

FORWARD = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON catalogue_minimumservice DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change('names');
"""
BACKWARD = "DROP TRIGGER routing_notes_a_change ON catalogue_minimumservice;"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0005_trials"),
        ("catalogue", "0007_minimum_service"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
