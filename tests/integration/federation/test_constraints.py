"""Each constraint of the register, violated once behind the operations' backs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from federation.catalogue.models import (
    Announcement,
    MinimumService,
    MinimumServiceAlarm,
    ModelVersion,
    RoutingPolicy,
    StageChange,
)
from federation.journal.models import AuditEvent
from federation.members.models import Candidacy, Institution, Membership, Vote
from federation.people.enums import Role
from federation.people.models import FirstAdminLink, Forgetting, RoleGrant
from tests.integration.federation.test_scope import ROOMS
from tests.integration.federation.world import World

Violation = Callable[[World], object]


def change(row: Any, **fields: Any) -> object:
    """Write straight into the table."""
    return type(row)._default_manager.filter(pk=row.pk).update(**fields)


def key(world: World, **fields: Any) -> object:
    return change(world.key, **fields)


def again(row: Any, **fields: Any) -> object:
    """Insert a copy of a row, with other values in some fields."""
    copy = type(row)(
        **{f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if f.name != "id"}
    )
    for name, value in fields.items():
        setattr(copy, name, value)
    copy.save(force_insert=True)
    return copy


OTHER: dict[str, Any] = {"number": 9, "current": False}
"""Another version of a policy, as the one in force cannot be changed."""


def policy(world: World) -> RoutingPolicy:
    return world.model.routing_policies.get()


def minimum(world: World) -> MinimumService:
    return world.model.minimum_services.get()


def alarm(world: World) -> MinimumServiceAlarm:
    return world.model.minimum_alarms.get()


VIOLATIONS: dict[str, Violation] = {
    "an_event_names_its_actor_by_kind": lambda w: AuditEvent.objects.create(
        seq=10**6, at=timezone.now(), actor_kind="command", verb="v", hash="h", prev_hash="p"
    ),
    "a_publisher_s_page_is_encrypted": lambda w: change(
        w.model, publisher_url="http://publisher.example"
    ),
    "a_licence_s_page_is_encrypted": lambda w: change(
        w.model, licence_url="http://licence.example"
    ),
    "a_decision_leads_from_one_state_to_another": lambda w: change(
        w.cast.rennes.memberships.get().decisions.get(), after="candidate"
    ),
    "one_draft_per_applicant": lambda w: Candidacy.objects.bulk_create(
        Candidacy(applicant=w.cast.intruder) for _ in range(2)
    ),
    "a_submitted_candidacy_has_a_membership": lambda w: change(w.candidacy, submitted_at=None),
    "one_contact_of_each_kind": lambda w: again(w.candidacy.contacts.first()),
    "a_contact_has_a_known_role": lambda w: change(w.candidacy.contacts.first(), role="other"),
    "a_version_has_one_text": lambda w: again(w.agreement.text),
    "a_published_text_has_a_kind_and_a_number": lambda w: again(w.agreement.text, number=0),
    "a_file_has_a_bounded_size": lambda w: again(w.agreement.signed, size=0),
    "a_file_has_a_digest": lambda w: again(w.agreement.signed, sha256="none"),
    "agreements_of_a_member_are_numbered": lambda w: again(w.agreement, state="void"),
    "one_live_agreement_per_membership": lambda w: again(w.agreement, number=2),
    "an_agreement_has_the_files_of_its_state": lambda w: change(w.agreement, signed=None),
    "a_charter_is_accepted_once": lambda w: again(w.cast.admin.charter_acceptances.get()),
    "a_ballot_closes_after_it_opens": lambda w: change(w.ballot, closes_at=w.ballot.opens_at),
    "a_closed_ballot_has_an_outcome": lambda w: change(w.ballot, state="closed"),
    "a_ballot_is_about_a_known_kind": lambda w: change(w.ballot, kind="weather"),
    "one_open_ballot_per_subject": lambda w: again(w.ballot),
    "one_vote_per_voter": lambda w: Vote.objects.bulk_create(
        Vote(ballot=w.ballot, voter=w.cast.admin, choice="yes") for _ in range(2)
    ),
    "a_vote_is_yes_no_or_abstention": lambda w: Vote.objects.create(
        ballot=w.ballot, voter=w.cast.admin, choice="perhaps"
    ),
    "a_team_name_is_unique_in_its_institution": lambda w: again(w.team, name="nlp"),
    "one_place_per_person_and_team": lambda w: again(w.team.places.get()),
    "an_invitation_to_a_member_role_names_an_institution": lambda w: change(
        w.invitation, institution=None
    ),
    "one_pending_invitation_per_address_and_role": lambda w: again(
        w.invitation, digest="0" * 64, email="NEW@example.org"
    ),
    "an_accepted_invitation_names_who_accepted": lambda w: change(w.invitation, state="accepted"),
    "an_invitation_expires_after_it_is_sent": lambda w: change(
        w.invitation, expires_at=w.invitation.sent_at
    ),
    "one_account_per_address": lambda w: change(w.cast.admin, email="INTRUDER@EXAMPLE.ORG"),
    "an_account_kind_is_known": lambda w: change(w.cast.admin, kind="robot"),
    "an_account_language_is_spoken": lambda w: change(w.cast.admin, language="la"),
    "a_role_is_given_once": lambda w: again(w.cast.admin.role_grants.get()),
    "only_a_member_role_names_an_institution": lambda w: RoleGrant.objects.create(
        user=w.cast.intruder, role=Role.USER, institution_id=None
    ),
    "what_is_forgotten_is_known": lambda w: Forgetting.objects.create(what="names", removed=0),
    "a_first_admin_link_expires_after_it_is_made": lambda w: FirstAdminLink.objects.create(
        digest="0" * 64, expires_at=timezone.now() - timedelta(days=1)
    ),
    "a_slug_fits_in_an_address": lambda w: change(w.cast.rennes, slug="Rennes 1"),
    "a_uai_is_seven_digits_and_a_letter": lambda w: change(w.cast.rennes, uai="123"),
    "a_siret_is_fourteen_digits": lambda w: change(w.cast.rennes, siret="123"),
    "a_uai_names_one_institution": lambda w: Institution.objects.update(uai="0351234A"),
    "a_weight_is_positive": lambda w: change(w.cast.rennes, weight=0),
    "a_member_contributes_or_consumes": lambda w: change(
        w.cast.rennes.memberships.get(), is_contributor=False, is_consumer=False
    ),
    "a_membership_state_is_known": lambda w: change(
        w.cast.rennes.memberships.get(), state="unknown"
    ),
    "one_live_membership_per_institution": lambda w: Membership.objects.create(
        institution=w.cast.rennes, is_consumer=True
    ),
    "a_public_name_is_one_model_whatever_its_case": lambda w: again(
        w.model, slug=w.model.slug.upper()
    ),
    "a_public_name_has_no_odd_character": lambda w: change(w.model, slug="with space"),
    "a_stage_is_known": lambda w: change(w.model, stage="unknown"),
    "a_routing_policy_has_a_number_of_its_own": lambda w: again(policy(w), current=False),
    "one_current_routing_policy_per_model": lambda w: again(policy(w), number=9),
    "a_routing_setting_is_known": lambda w: again(policy(w), **OTHER, setting="unknown"),
    "every_class_has_a_minimum": lambda w: again(policy(w), **OTHER, share_p1=0),
    "minimum_shares_leave_something": lambda w: again(policy(w), **OTHER, share_p1=78),
    "a_longest_wait_is_between_a_second_and_an_hour": lambda w: again(
        policy(w), **OTHER, longest_wait=3601
    ),
    "a_minimum_service_has_a_number_of_its_own": lambda w: again(minimum(w), current=False),
    "one_current_minimum_service_per_model": lambda w: again(minimum(w), number=9),
    "a_minimum_service_needs_no_more_sites_than_servers": lambda w: again(
        minimum(w), **OTHER, sites=3
    ),
    "a_protected_class_is_known": lambda w: again(minimum(w), **OTHER, protected_class=6),
    "a_model_is_not_its_own_fallback": lambda w: again(minimum(w), **OTHER, fallback=w.model),
    "one_open_alarm_per_model": lambda w: again(alarm(w)),
    "an_alarm_ends_after_it_began": lambda w: change(
        alarm(w), ended_at=alarm(w).began_at - timedelta(seconds=1)
    ),
    "a_model_has_parameters": lambda w: change(w.model, parameters=0),
    "active_parameters_are_some_of_all": lambda w: change(
        w.model, parameters=8, active_parameters=9
    ),
    "a_category_is_known": lambda w: change(w.model, category="unknown"),
    "capabilities_are_known": lambda w: change(w.model, capabilities=["chat", "telepathy"]),
    "a_version_is_registered_once": lambda w: again(w.model.versions.get(), current=False),
    "one_current_version_per_model": lambda w: again(w.model.versions.get(), revision="other"),
    "a_context_holds_at_least_one_token": lambda w: ModelVersion.objects.create(
        model=w.model, revision="other", context_length=0
    ),
    "only_a_model_that_leaves_has_an_end": lambda w: change(
        w.model, retires_on=timezone.localdate()
    ),
    "a_model_is_succeeded_by_another": lambda w: change(
        w.model, stage="deprecated", successor=w.model
    ),
    "a_model_is_proposed_once_at_a_time": lambda w: again(w.proposal),
    "a_stage_change_leads_from_one_stage_to_another": lambda w: StageChange.objects.create(
        model=w.model, before="staging", after="staging"
    ),
    "an_announcement_kind_is_known": lambda w: change(w.model.announcements.get(), kind="rumour"),
    "one_reminder_of_an_end": lambda w: Announcement.objects.bulk_create(
        Announcement(model=w.model, kind="reminder", ends_on=timezone.localdate()) for _ in range(2)
    ),
    "an_announcement_reaches_a_person_once": lambda w: again(
        w.model.announcements.get().notices.first()
    ),
    "a_key_is_named_for_a_trial_once": lambda w: again(w.trial),
    "an_alias_is_one_model_whatever_its_case": lambda w: again(w.alias, name="MISTRAL-small"),
    "an_alias_has_no_odd_character": lambda w: change(w.alias, name="with space"),
    "an_alias_is_succeeded_by_another_model": lambda w: change(w.alias, successor=w.model),
    "a_site_name_is_unique_in_its_institution": lambda w: again(w.site),
    "a_grid_is_known": lambda w: change(w.site, grid="XXX"),
    "a_pue_is_at_least_one": lambda w: change(w.site, pue="0.9"),
    "a_server_slug_fits_in_an_address": lambda w: change(w.server, slug="With Space"),
    "an_engine_is_known": lambda w: change(w.server, engine="steam"),
    "a_server_state_is_known": lambda w: change(w.server, state="unknown"),
    "a_server_takes_at_least_one_request": lambda w: change(w.server, max_parallel=0),
    "a_server_address_carries_no_secret": lambda w: change(
        w.server, base_url="https://user:secret@inference.example.org"
    ),
    "one_current_credential_per_server": lambda w: again(w.server.credentials.get()),
    "a_credential_ends_after_it_begins": lambda w: change(
        w.server.credentials.get(), valid_to=timezone.now() - timedelta(days=1)
    ),
    "a_credential_is_never_empty": lambda w: change(w.server.credentials.get(), ciphertext=""),
    "an_egress_grant_is_given_once": lambda w: again(w.grant),
    "an_egress_grant_names_a_port": lambda w: change(w.grant, port=70_000),
    "an_egress_grant_says_why": lambda w: change(w.grant, reason=""),
    "a_network_is_asked_for_once": lambda w: again(w.network),
    "a_site_grant_state_is_known": lambda w: change(w.network, state="unknown"),
    "a_site_grant_names_some_ports": lambda w: change(w.network, ports=[]),
    "a_site_grant_says_why": lambda w: change(w.network, state="declined"),
    "one_current_client_certificate_per_server": lambda w: again(w.certificate),
    "a_client_certificate_ends_after_it_begins": lambda w: change(
        w.certificate, valid_to=timezone.now() - timedelta(days=1)
    ),
    "a_client_certificate_has_its_key": lambda w: change(w.certificate, ciphertext=""),
    "one_energy_meter_per_server": lambda w: again(w.probe),
    "a_meter_counts_in_a_known_unit": lambda w: change(w.probe, unit="BTU"),
    "a_meter_has_a_known_scope": lambda w: change(w.probe, scope="rack"),
    "a_meter_is_never_negative": lambda w: change(w.probe, idle_w=-1),
    "a_meter_allows_what_is_drawn_without_work": lambda w: change(w.probe, limit_w=1),
    "a_meters_address_carries_no_secret": lambda w: change(
        w.probe, url="https://user:secret@gpu-1.example.org/metrics"
    ),
    "a_server_serves_a_name_once": lambda w: again(w.deployment),
    "a_deployment_state_is_known": lambda w: change(w.deployment, state="unknown"),
    "a_deployment_has_a_served_name": lambda w: change(w.deployment, served_name=""),
    "an_application_name_is_unique_in_its_institution": lambda w: again(w.application),
    "a_key_has_a_class_from_1_to_5": lambda w: key(w, priority=6),
    "a_key_has_a_known_routing_mode": lambda w: key(w, routing_mode="elsewhere"),
    "a_key_is_kept_as_a_digest": lambda w: key(w, digest="ilaas_live_the_key_itself"),
    "a_revoked_key_says_why": lambda w: key(w, revoked_at=timezone.now()),
    "guests_have_a_lowest_class_from_1_to_5": lambda w: change(w.guest_rules, lowest_class=0),
    "a_limit_is_of_one_key_application_or_institution": lambda w: change(w.limit, key=w.key),
    "one_limit_in_force_of_each_kind": lambda w: again(w.limit),
    "a_limit_counts_what_is_known": lambda w: change(w.limit, measure="patience"),
    "a_limit_leaves_something": lambda w: change(w.limit, most=0),
    "a_key_expires_after_it_is_made": lambda w: key(
        w, expires_at=timezone.now() - timedelta(days=1)
    ),
    "one_open_run_of_a_kind_per_server": lambda w: again(w.run),
    "a_run_state_is_known": lambda w: change(w.run, state="unknown", ended_at=timezone.now()),
    "a_run_kind_is_known": lambda w: change(w.run, kind="unknown"),
    "a_run_has_an_end_when_it_is_over": lambda w: change(w.run, state="passed"),
    "a_key_is_tried_by_an_open_run_alone": lambda w: change(
        w.run, state="passed", ended_at=timezone.now(), sealed_key="sealed"
    ),
    "a_run_has_one_line_per_check": lambda w: again(w.run.lines.get()),
    "a_verdict_is_known": lambda w: change(w.run.lines.get(), verdict="perhaps"),
    "a_maintenance_state_is_known": lambda w: change(w.maintenance, state="unknown"),
    "a_maintenance_ends_after_it_begins": lambda w: change(
        w.maintenance, ends_at=w.maintenance.starts_at
    ),
    "a_sign_in_protocol_is_known": lambda w: change(w.service, protocol="ldap"),
    "a_sign_in_service_can_be_asked": lambda w: change(w.service, source=None),
    "a_sign_in_slug_is_one_service_s": lambda w: type(w.service).objects.update(slug="same"),
    "a_server_token_is_a_digest": lambda w: change(w.lease.token, digest="ilaas_server_itself"),
    "one_open_lease_per_server": lambda w: again(w.lease),
    "a_lease_state_is_known": lambda w: change(w.lease, state="unknown", ended_at=timezone.now()),
    "a_lease_ends_once": lambda w: change(w.lease, state="ended"),
    "a_lease_ends_after_it_begins": lambda w: change(
        w.lease, state="ended", ended_at=w.lease.created_at - timedelta(days=1)
    ),
    "a_form_state_is_known": lambda w: change(w.form, state="unknown"),
    "a_form_that_was_handed_in_has_a_server": lambda w: change(w.draft, state="submitted"),
    "an_owner_reserves_at_most_90_per_cent": lambda w: change(w.form, reserved_share=91),
}
UNIQUE_FIELDS: dict[str, Violation] = {
    "User.email": lambda w: change(w.cast.admin, email=w.cast.intruder.email),
    "User.pseudonym": lambda w: change(w.cast.admin, pseudonym=w.cast.intruder.pseudonym),
    "Institution.slug": lambda w: change(w.cast.rennes, slug="reims"),
    "AIModel.slug": lambda w: change(w.model, slug=w.proposed.slug),
    "Candidacy.membership": lambda w: again(w.candidacy),
    "Invitation.digest": lambda w: again(w.invitation, email="third@example.org"),
    "MetadataSource.name": lambda w: again(w.service.source),
    "SignInService.service_id": lambda w: again(w.service),
    "ServerToken.digest": lambda w: again(w.lease.token),
    "InferenceServer.slug": lambda w: change(w.server, slug=w.staging_server.slug),
    "GuestRules.server": lambda w: again(w.guest_rules),
    "TechnicalForm.server": lambda w: again(w.form),
    "ApiKey.digest": lambda w: key(w, digest=w.users_application.keys.get().digest),
    "FirstAdminLink.digest": lambda w: FirstAdminLink.objects.bulk_create(
        FirstAdminLink(digest="0" * 64, expires_at=timezone.now() + timedelta(days=1))
        for _ in range(2)
    ),
}
ROWS_OF_THE_CHAIN = {"AuditEvent.seq", "AuditEvent.prev_hash", "AuditEvent.hash"}
"""Unique, too; what happens when the chain is touched is in `test_journal`."""


def register_tables() -> list[type[models.Model]]:
    return [model for room in ROOMS for model in apps.get_app_config(room).get_models()]


def test_the_database_refuses_whatever_a_constraint_forbids(world: World) -> None:
    for name, violate in VIOLATIONS.items():
        with pytest.raises(IntegrityError, match=f'"{name}"'), transaction.atomic():
            violate(world)


def test_the_database_refuses_a_second_row_with_what_is_unique(world: World) -> None:
    for violate in UNIQUE_FIELDS.values():
        with pytest.raises(IntegrityError, match="unique"), transaction.atomic():
            violate(world)


def test_every_constraint_of_the_register_is_violated_here() -> None:
    named = {each.name for table in register_tables() for each in table._meta.constraints}
    unique = {
        f"{table.__name__}.{field.name}"
        for table in register_tables()
        for field in table._meta.concrete_fields
        if field.unique and not field.primary_key
    }

    assert named == set(VIOLATIONS)
    assert unique == set(UNIQUE_FIELDS) | ROWS_OF_THE_CHAIN


def test_nothing_that_others_name_can_be_deleted(world: World) -> None:
    for row in (world.cast.rennes, world.site, world.server, world.model, world.application):
        with pytest.raises(models.ProtectedError):
            row.delete()


def test_a_published_text_and_a_stored_file_never_change(world: World) -> None:
    text, file = world.agreement.text, world.agreement.drawn_up

    def delete(row: models.Model) -> object:
        rows: Any = type(row)._default_manager.filter(pk=row.pk)
        return rows._raw_delete("default")

    acts: tuple[Callable[[], object], ...] = (
        lambda: change(text, text_fr="# Autre"),
        lambda: change(file, content=b"%PDF-other%%EOF"),
        lambda: delete(text),
        lambda: delete(file),
    )
    for act in acts:
        with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
            act()


def test_a_model_version_is_what_it_was_registered_as(world: World) -> None:
    version = world.model.versions.get()

    for fields in ({"quantisation": "FP8"}, {"context_length": 1}, {"revision": "other"}):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
            change(version, **fields)
    with pytest.raises(IntegrityError, match="immutable"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalogue_modelversion WHERE id = %s", [version.pk])


def test_a_model_version_may_cease_to_be_the_current_one(world: World) -> None:
    version = world.model.versions.get()

    change(version, current=False)
    version.refresh_from_db()
    assert not version.current


def test_a_minimum_service_is_changed_by_another_version_only(world: World) -> None:
    row = minimum(world)

    for fields in ({"servers": 3}, {"protected_class": 1}, {"fallback": world.proposed}):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
            change(row, **fields)
    with (
        pytest.raises(IntegrityError, match="immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM catalogue_minimumservice WHERE id = %s", [row.pk])
    change(row, current=False)


def test_a_routing_policy_is_changed_by_another_version_only(world: World) -> None:
    row = policy(world)

    for fields in ({"setting": "affinity"}, {"share_p1": 3}, {"longest_wait": 5}, {"number": 7}):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
            change(row, **fields)
    with (
        pytest.raises(IntegrityError, match="immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM catalogue_routingpolicy WHERE id = %s", [row.pk])
    change(row, current=False)
