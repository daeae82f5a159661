"""Meters, and by how much the model of energy errs where they are read, are in the router's table, too."""

from django.db import migrations

TABLES = {"fleet_energyprobe": "'servers', 'names'", "billing_energycalibration": "'names'"}
TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change({sections});
"""
DROP = "DROP TRIGGER routing_notes_a_change ON {table};"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0008_budgets_and_prices"),
        ("billing", "0017_measured_energy"),
        ("fleet", "0009_energy_probes"),
    ]
    operations = [
        migrations.RunSQL(TRIGGER.format(table=table, sections=sections), DROP.format(table=table))
        for table, sections in TABLES.items()
    ]
