"""What only grows in the catalogue is not emptied either: row triggers see no TRUNCATE."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER model_versions_are_never_emptied
    BEFORE TRUNCATE ON catalogue_modelversion
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER routing_policies_are_never_emptied
    BEFORE TRUNCATE ON catalogue_routingpolicy
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER the_history_of_models_is_never_emptied
    BEFORE TRUNCATE ON catalogue_stagechange
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER minimum_services_are_never_emptied
    BEFORE TRUNCATE ON catalogue_minimumservice
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
BACKWARD = """
DROP TRIGGER model_versions_are_never_emptied ON catalogue_modelversion;
DROP TRIGGER routing_policies_are_never_emptied ON catalogue_routingpolicy;
DROP TRIGGER the_history_of_models_is_never_emptied ON catalogue_stagechange;
DROP TRIGGER minimum_services_are_never_emptied ON catalogue_minimumservice;
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0010_ballots_keep_a_name"), ("journal", "0004_no_truncation")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
