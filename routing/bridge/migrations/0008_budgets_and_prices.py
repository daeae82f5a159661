"""Hard budgets, and the prices by which requests are reserved, are in the router's table, too."""

from django.db import migrations

TABLES = {"billing_budget": "principals", "billing_priceversion": "names"}
TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change('{section}');
"""
DROP = "DROP TRIGGER routing_notes_a_change ON {table};"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0007_networks_and_certificates"),
        ("billing", "0010_budgets"),
    ]
    operations = [
        migrations.RunSQL(TRIGGER.format(table=table, section=section), DROP.format(table=table))
        for table, section in TABLES.items()
    ]
