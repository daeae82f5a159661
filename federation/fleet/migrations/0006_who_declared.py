"""A form names everybody who has written something of it since it was last accepted: the journal knows who they are."""

from django.conf import settings
from django.db import migrations, models

FILL = """
INSERT INTO fleet_technicalform_declared_by (technicalform_id, user_id)
SELECT DISTINCT form.id, author.id
FROM fleet_technicalform AS form
JOIN journal_auditevent AS event
    ON event.object_id = form.id::text AND event.object_type = 'fleet.technicalform'
JOIN people_user AS author ON author.pseudonym = event.actor_pseudonym
WHERE event.verb IN ('fleet.save_draft', 'fleet.submit_form', 'fleet.revise_form')
AND event.seq > coalesce(
    (SELECT max(seq) FROM journal_auditevent
     WHERE object_id = form.id::text AND verb = 'fleet.accept_form'), 0);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0005_runs_name_their_deployment"),
        ("journal", "0003_by_time_and_object"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            model_name="technicalform",
            name="declared_by",
            field=models.ManyToManyField(
                blank=True,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="declared by",
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
