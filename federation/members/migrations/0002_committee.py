"""Candidacies, agreements, ballots, published texts, teams and invitations.

A published text and a stored file never change: the database itself refuses it. The worker counts ballots whose
hour has come.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

FORWARD = """
CREATE FUNCTION members_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was published or stored does not change' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER a_published_text_never_changes
    BEFORE UPDATE OR DELETE ON members_textversion
    FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
CREATE TRIGGER a_stored_file_never_changes
    BEFORE UPDATE OR DELETE ON members_storedfile
    FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
"""
BACKWARD = """
DROP TRIGGER a_stored_file_never_changes ON members_storedfile;
DROP TRIGGER a_published_text_never_changes ON members_textversion;
DROP FUNCTION members_refuse_change();
"""
COUNT = "close due ballots"
EVERY_MINUTES = 5


def schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=COUNT,
        defaults={
            "func": "federation.members.tasks.close_due_ballots",
            "schedule_type": "I",
            "minutes": EVERY_MINUTES,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=COUNT).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("members", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Ballot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "kind",
                    models.CharField(
                        choices=[("membership", "membership"), ("model", "model")],
                        max_length=12,
                        verbose_name="about",
                    ),
                ),
                ("subject_id", models.UUIDField(db_index=True, verbose_name="subject")),
                ("question", models.CharField(max_length=300, verbose_name="question")),
                ("opens_at", models.DateTimeField(verbose_name="opens")),
                ("closes_at", models.DateTimeField(verbose_name="closes")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("closed", "closed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("no_quorum", "too few votes"),
                        ],
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "opened_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="opened by",
                    ),
                ),
            ],
            options={
                "verbose_name": "ballot",
                "verbose_name_plural": "ballots",
                "ordering": ("-created_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="Candidacy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                ("short_name", models.CharField(max_length=40, verbose_name="short name")),
                ("slug", models.CharField(max_length=40, verbose_name="short identifier")),
                ("uai", models.CharField(blank=True, max_length=8, verbose_name="UAI")),
                ("siret", models.CharField(max_length=14, verbose_name="SIRET")),
                ("is_contributor", models.BooleanField(default=False, verbose_name="contributor")),
                ("is_consumer", models.BooleanField(default=False, verbose_name="consumer")),
                (
                    "contributions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                (
                                    "node",
                                    "a compute node: inference servers lent to the federation",
                                ),
                                ("code", "code: development of the common software"),
                                ("project", "project: help to run the federation"),
                                ("documentation", "documentation: guides, training"),
                                ("studies", "studies: evaluation of models, of use, of impact"),
                            ],
                            max_length=16,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="contributions",
                    ),
                ),
                (
                    "motivation",
                    models.TextField(blank=True, max_length=2000, verbose_name="motivation"),
                ),
                (
                    "submitted_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="submitted"),
                ),
                (
                    "discarded_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="discarded"),
                ),
                (
                    "applicant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="candidacies",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="applicant",
                    ),
                ),
                (
                    "membership",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="candidacy",
                        to="members.membership",
                        verbose_name="membership",
                    ),
                ),
            ],
            options={
                "verbose_name": "candidacy",
                "verbose_name_plural": "candidacies",
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("governance", "governance"),
                            ("technical", "technical"),
                            ("finance", "finance"),
                            ("dpo", "data protection (DPO)"),
                        ],
                        max_length=10,
                        verbose_name="for",
                    ),
                ),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                ("function", models.CharField(blank=True, max_length=100, verbose_name="function")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("phone", models.CharField(blank=True, max_length=30, verbose_name="telephone")),
                (
                    "candidacy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contacts",
                        to="members.candidacy",
                        verbose_name="candidacy",
                    ),
                ),
            ],
            options={
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="MembershipDecision",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "before",
                    models.CharField(
                        choices=[
                            ("candidate", "candidate"),
                            ("approved", "approved"),
                            ("suspended", "suspended"),
                            ("left", "left"),
                        ],
                        max_length=10,
                        verbose_name="before",
                    ),
                ),
                (
                    "after",
                    models.CharField(
                        choices=[
                            ("candidate", "candidate"),
                            ("approved", "approved"),
                            ("suspended", "suspended"),
                            ("left", "left"),
                        ],
                        max_length=10,
                        verbose_name="after",
                    ),
                ),
                ("reason", models.TextField(blank=True, max_length=1000, verbose_name="reason")),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="members.membership",
                        verbose_name="membership",
                    ),
                ),
            ],
            options={
                "verbose_name": "decision",
                "verbose_name_plural": "decisions",
                "ordering": ("-created_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("name", models.CharField(max_length=100, verbose_name="file name")),
                ("size", models.PositiveIntegerField(verbose_name="size")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("content", models.BinaryField(max_length=10485760)),
                (
                    "stored_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="stored by",
                    ),
                ),
            ],
            options={
                "verbose_name": "file",
                "verbose_name_plural": "files",
            },
        ),
        migrations.CreateModel(
            name="Team",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "institution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="teams",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
            ],
            options={
                "verbose_name": "team",
                "verbose_name_plural": "teams",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("federation_admin", "federation administrator"),
                            ("auditor", "auditor"),
                            ("finance", "federation finance"),
                            ("member_dsi", "institution's IT department"),
                            ("member_finance", "institution's finance"),
                            ("project_owner", "project owner"),
                            ("user", "user"),
                        ],
                        max_length=16,
                        verbose_name="role",
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("sent_at", models.DateTimeField(verbose_name="sent")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("accepted", "accepted"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "accepted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="accepted by",
                    ),
                ),
                (
                    "institution",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="invited by",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to="members.team",
                        verbose_name="team",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "ordering": ("-sent_at",),
            },
        ),
        migrations.CreateModel(
            name="TeamPlace",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("is_lead", models.BooleanField(default=False, verbose_name="leads")),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="places",
                        to="members.team",
                        verbose_name="team",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="team_places",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "place in a team",
                "verbose_name_plural": "places in teams",
                "ordering": ("-is_lead", "user__name"),
            },
        ),
        migrations.CreateModel(
            name="TextVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("agreement", "consortium agreement"),
                            ("charter", "charter of use"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                ("text_fr", models.TextField(max_length=60000, verbose_name="French text")),
                ("text_en", models.TextField(max_length=60000, verbose_name="English text")),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
                    ),
                ),
            ],
            options={
                "verbose_name": "published text",
                "verbose_name_plural": "published texts",
                "ordering": ("kind", "-number"),
            },
        ),
        migrations.CreateModel(
            name="CharterAcceptance",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charter_acceptances",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="account",
                    ),
                ),
                (
                    "text",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="acceptances",
                        to="members.textversion",
                        verbose_name="text",
                    ),
                ),
            ],
            options={
                "verbose_name": "acceptance of the charter",
                "verbose_name_plural": "acceptances of the charter",
            },
        ),
        migrations.CreateModel(
            name="Agreement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "language",
                    models.CharField(
                        choices=[("fr", "Français"), ("en", "English")],
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("drawn_up", "to be signed"),
                            ("signed", "signed by the institution"),
                            ("countersigned", "countersigned by the federation"),
                            ("void", "void"),
                        ],
                        default="drawn_up",
                        max_length=14,
                        verbose_name="state",
                    ),
                ),
                (
                    "signatory",
                    models.CharField(blank=True, max_length=150, verbose_name="signed by"),
                ),
                (
                    "signatory_function",
                    models.CharField(blank=True, max_length=100, verbose_name="as"),
                ),
                (
                    "signed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="signed on"),
                ),
                (
                    "countersigned_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="countersigned on"),
                ),
                (
                    "remark",
                    models.TextField(blank=True, max_length=1000, verbose_name="why it came back"),
                ),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agreements",
                        to="members.membership",
                        verbose_name="membership",
                    ),
                ),
                (
                    "countersigned",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="as_countersigned",
                        to="members.storedfile",
                    ),
                ),
                (
                    "drawn_up",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="as_drawn_up",
                        to="members.storedfile",
                    ),
                ),
                (
                    "signed",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="as_signed",
                        to="members.storedfile",
                    ),
                ),
                (
                    "text",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.textversion",
                        verbose_name="text",
                    ),
                ),
            ],
            options={
                "verbose_name": "agreement",
                "verbose_name_plural": "agreements",
                "ordering": ("-number",),
            },
        ),
        migrations.CreateModel(
            name="Vote",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "choice",
                    models.CharField(
                        choices=[("yes", "yes"), ("no", "no"), ("abstain", "abstention")],
                        max_length=8,
                        verbose_name="vote",
                    ),
                ),
                ("comment", models.TextField(blank=True, max_length=1000, verbose_name="comment")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="cast")),
                (
                    "ballot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="votes",
                        to="members.ballot",
                        verbose_name="ballot",
                    ),
                ),
                (
                    "voter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="votes",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="voter",
                    ),
                ),
            ],
            options={
                "verbose_name": "vote",
                "verbose_name_plural": "votes",
                "ordering": ("created_at",),
            },
        ),
        migrations.AddConstraint(
            model_name="ballot",
            constraint=models.CheckConstraint(
                condition=models.Q(("closes_at__gt", models.F("opens_at"))),
                name="a_ballot_closes_after_it_opens",
            ),
        ),
        migrations.AddConstraint(
            model_name="ballot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("outcome__in", ["accepted", "declined", "no_quorum"]), ("state", "closed")
                    ),
                    models.Q(("outcome", ""), ("state__in", ["open", "cancelled"])),
                    _connector="OR",
                ),
                name="a_closed_ballot_has_an_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="ballot",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["membership", "model"])),
                name="a_ballot_is_about_a_known_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="ballot",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("kind", "subject_id"),
                name="one_open_ballot_per_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="candidacy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("discarded_at", None), ("membership", None)),
                fields=("applicant",),
                name="one_draft_per_applicant",
            ),
        ),
        migrations.AddConstraint(
            model_name="candidacy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("membership__isnull", True), ("submitted_at__isnull", True)),
                    models.Q(("membership__isnull", False), ("submitted_at__isnull", False)),
                    _connector="OR",
                ),
                name="a_submitted_candidacy_has_a_membership",
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("candidacy", "role"), name="one_contact_of_each_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["governance", "technical", "finance", "dpo"])),
                name="a_contact_has_a_known_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="membershipdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("before__in", ["candidate", "approved", "suspended", "left"]),
                    ("after__in", ["candidate", "approved", "suspended", "left"]),
                    models.Q(("before", models.F("after")), _negated=True),
                ),
                name="a_decision_leads_from_one_state_to_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="storedfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("size__gt", 0), ("size__lte", 10485760)),
                name="a_file_has_a_bounded_size",
            ),
        ),
        migrations.AddConstraint(
            model_name="storedfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="a_file_has_a_digest"
            ),
        ),
        migrations.AddConstraint(
            model_name="team",
            constraint=models.UniqueConstraint(
                models.F("institution"),
                django.db.models.functions.text.Lower("name"),
                condition=models.Q(("closed_at", None)),
                name="a_team_name_is_unique_in_its_institution",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("institution", None),
                        ("role__in", ["auditor", "federation_admin", "finance"]),
                    ),
                    models.Q(
                        ("institution__isnull", False),
                        ("role__in", ["member_dsi", "member_finance", "project_owner", "user"]),
                    ),
                    _connector="OR",
                ),
                name="an_invitation_to_a_member_role_names_an_institution",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                models.F("institution"),
                django.db.models.functions.text.Lower("email"),
                models.F("role"),
                condition=models.Q(("state", "pending")),
                name="one_pending_invitation_per_address_and_role",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted_by__isnull", False), ("state", "accepted")),
                    models.Q(("accepted_by", None), ("state__in", ["pending", "withdrawn"])),
                    _connector="OR",
                ),
                name="an_accepted_invitation_names_who_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("sent_at"))),
                name="an_invitation_expires_after_it_is_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="teamplace",
            constraint=models.UniqueConstraint(
                fields=("team", "user"), name="one_place_per_person_and_team"
            ),
        ),
        migrations.AddConstraint(
            model_name="textversion",
            constraint=models.UniqueConstraint(
                fields=("kind", "number"), name="a_version_has_one_text"
            ),
        ),
        migrations.AddConstraint(
            model_name="textversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["agreement", "charter"]), ("number__gte", 1)),
                name="a_published_text_has_a_kind_and_a_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="charteracceptance",
            constraint=models.UniqueConstraint(
                fields=("user", "text"), name="a_charter_is_accepted_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="agreement",
            constraint=models.UniqueConstraint(
                fields=("membership", "number"), name="agreements_of_a_member_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="agreement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "void"), _negated=True),
                fields=("membership",),
                name="one_live_agreement_per_membership",
            ),
        ),
        migrations.AddConstraint(
            model_name="agreement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "void"),
                    models.Q(("countersigned", None), ("signed", None), ("state", "drawn_up")),
                    models.Q(
                        ("countersigned", None), ("signed__isnull", False), ("state", "signed")
                    ),
                    models.Q(
                        ("countersigned__isnull", False),
                        ("signed__isnull", False),
                        ("state", "countersigned"),
                    ),
                    _connector="OR",
                ),
                name="an_agreement_has_the_files_of_its_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(
                fields=("ballot", "voter"), name="one_vote_per_voter"
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", ["yes", "no", "abstain"])),
                name="a_vote_is_yes_no_or_abstention",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunPython(schedule, unschedule),
    ]
