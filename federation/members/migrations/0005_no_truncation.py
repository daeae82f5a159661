"""Texts and files are not emptied either: row triggers see no TRUNCATE."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER texts_are_never_emptied
    BEFORE TRUNCATE ON members_textversion
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER stored_files_are_never_emptied
    BEFORE TRUNCATE ON members_storedfile
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
BACKWARD = """
DROP TRIGGER texts_are_never_emptied ON members_textversion;
DROP TRIGGER stored_files_are_never_emptied ON members_storedfile;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0004_ballots_without_a_sentence"),
        ("journal", "0004_no_truncation"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
