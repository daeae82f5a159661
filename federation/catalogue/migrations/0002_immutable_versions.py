"""A model version is what it was registered as: only `current` may change, and no version is removed."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION catalogue_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'current') = (to_jsonb(OLD) - 'current') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a model version is immutable' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER a_model_version_is_immutable
    BEFORE UPDATE OR DELETE ON catalogue_modelversion
    FOR EACH ROW EXECUTE FUNCTION catalogue_refuse_version_change();
"""
BACKWARD = """
DROP TRIGGER a_model_version_is_immutable ON catalogue_modelversion;
DROP FUNCTION catalogue_refuse_version_change();
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
