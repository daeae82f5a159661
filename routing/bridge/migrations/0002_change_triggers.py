"""Every register write that the router's table is made of leaves a change, and wakes the clerk.

The triggers fire at commit (deferred): the advisory lock, which makes ids follow commit order, is then held for
the commit alone, and no writer waits for a row while it has the lock. A key's day of last use is no change.
"""

from django.db import migrations

SECTIONS = {
    "access_apikey": ("principals",),
    "access_apikey_models": ("principals",),
    "access_application": ("principals",),
    "members_membership": ("principals", "names", "servers"),
    "members_institution": ("servers",),
    "catalogue_aimodel": ("names",),
    "catalogue_modelversion": ("names",),
    "catalogue_alias": ("names",),
    "fleet_deployment": ("names",),
    "fleet_inferenceserver": ("names", "servers"),
    "fleet_site": ("names", "servers"),
    "fleet_upstreamcredential": ("servers",),
    "fleet_egressgrant": ("servers",),
}
FUNCTION = """
CREATE FUNCTION routing_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'last_used_on' = to_jsonb(OLD) - 'last_used_on' THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(x'726f757465'::bigint);
    INSERT INTO routing_routingchange (section, object_type, object_id)
        SELECT unnest(TG_ARGV), TG_TABLE_NAME, CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
    NOTIFY routing_changed;
    RETURN NULL;
END
$$;
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER routing_notes_a_change
    AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION routing_note_change({sections});
"""
FORWARD = FUNCTION + "".join(
    TRIGGER.format(table=table, sections=", ".join(f"'{name}'" for name in names))
    for table, names in SECTIONS.items()
)
BACKWARD = (
    "".join(f"DROP TRIGGER routing_notes_a_change ON {table};\n" for table in SECTIONS)
    + "DROP FUNCTION routing_note_change();"
)


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0001_initial"),
        ("access", "0001_initial"),
        ("catalogue", "0001_initial"),
        ("fleet", "0001_initial"),
        ("members", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
