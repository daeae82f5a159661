"""What models had as their strategy becomes the first version of their routing policy.

The column stays, with a default, for the processes of the version before: they read it until they are replaced.
A later version drops it.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE catalogue_aimodel ALTER COLUMN strategy SET DEFAULT 'affinity';
INSERT INTO catalogue_routingpolicy (
    id, created_at, model_id, number, setting, share_p4, share_p3, share_p2, share_p1,
    forward_priority, current
)
SELECT gen_random_uuid(), now(), id, 1, strategy || '-requeue', 5, 5, 3, 2, false, true
FROM catalogue_aimodel WHERE strategy <> 'affinity'
ON CONFLICT DO NOTHING;
"""
# Policies are never deleted: going back leaves them, and coming again finds them.
BACKWARD = "ALTER TABLE catalogue_aimodel ALTER COLUMN strategy DROP DEFAULT;"


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0004_routing_policy")]
    operations = [
        migrations.RunSQL(
            FORWARD,
            BACKWARD,
            state_operations=[
                migrations.RemoveConstraint(model_name="aimodel", name="a_strategy_is_known"),
                migrations.RemoveField(model_name="aimodel", name="strategy"),
            ],
        )
    ]
