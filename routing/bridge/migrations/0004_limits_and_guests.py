"""Limits, owners' rules on guests, and the institutions' names that a refusal tells are in the router's table."""

from django.db import migrations

TABLES = {
    "access_limit": "'principals'",
    "fleet_guestrules": "'servers'",
    "fleet_guestrules_blocked_institutions": "'servers'",
    "fleet_guestrules_blocked_models": "'servers'",
}
TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change({sections});
"""
DROP = "DROP TRIGGER routing_notes_a_change ON {table};"
INSTITUTIONS = "members_institution"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0003_routing_policies"),
        ("access", "0002_limits"),
        ("fleet", "0002_guest_rules"),
    ]
    operations = [
        *(
            migrations.RunSQL(
                TRIGGER.format(table=table, sections=sections), DROP.format(table=table)
            )
            for table, sections in TABLES.items()
        ),
        migrations.RunSQL(
            DROP.format(table=INSTITUTIONS)
            + TRIGGER.format(table=INSTITUTIONS, sections="'servers', 'principals'"),
            DROP.format(table=INSTITUTIONS)
            + TRIGGER.format(table=INSTITUTIONS, sections="'servers'"),
        ),
    ]
