"""A new version of a model's routing policy is a change of the router's table, too."""

from django.db import migrations

FORWARD = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON catalogue_routingpolicy DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change('names');
"""
BACKWARD = "DROP TRIGGER routing_notes_a_change ON catalogue_routingpolicy;"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0002_change_triggers"),
        ("catalogue", "0004_routing_policy"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
