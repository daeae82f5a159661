"""Private networks of sites and the certificates that the router shows are in the router's table, too."""

from django.db import migrations

TABLES = ("fleet_siteegressgrant", "fleet_clientcertificate")
TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change('servers');
"""
DROP = "DROP TRIGGER routing_notes_a_change ON {table};"


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0006_minimum_services"),
        ("fleet", "0004_site_grants_and_certificates"),
    ]
    operations = [
        migrations.RunSQL(TRIGGER.format(table=table), DROP.format(table=table)) for table in TABLES
    ]
