"""Candidacies and agreements: what is refused, with the way out, and that nothing is half done then."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import connection
from django.utils.datastructures import MultiValueDict
from django.utils.translation import override
from pytest_django import Settings

from federation.journal.models import AuditEvent
from federation.members.enums import AgreementState, ContactRole, MembershipState
from federation.members.files import Upload, check_pdf
from federation.members.forms.committee import UploadForm
from federation.members.models import Agreement, Candidacy, Institution, Membership, StoredFile
from federation.members.models.documents import MOST_BYTES
from federation.members.operations.agreements import (
    countersign_agreement,
    send_back_agreement,
    sign_agreement,
)
from federation.members.operations.candidacies import (
    begin_candidacy,
    describe_institution,
    name_contacts,
    submit_candidacy,
    withdraw_candidacy,
)
from federation.members.operations.memberships import change_membership_state
from federation.members.queries import Part, seen_of
from federation.members.steps import When, standing_of
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import grant_role
from tests.integration.federation.crowd import at_once
from tests.support.candidates import (
    BOTH_SIGNED,
    CONTACTS,
    NANTES,
    PDF,
    SIGNED,
    make_candidate,
    make_draft,
    make_submitted,
)
from tests.support.factories import OPERATOR, Cast, make_cast, make_user
from tests.support.pages import signed_in_as
from tests.support.post import deliver

pytestmark = pytest.mark.usefixtures("plain_static")


@pytest.fixture
def applicant(cast: Cast) -> User:
    return make_user("applicant")


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as refused:
        act()
    return str(refused.value.code) if hasattr(refused.value, "code") else "by field"


def test_a_wrong_number_is_refused_at_its_field_and_makes_nothing(applicant: User) -> None:
    client = signed_in_as(applicant)
    given = {**NANTES, "siret": "13002974700017", "uai": "0442953X"}

    for language, words in (("fr", "intervertis"), ("en", "swapped")):
        client.cookies["django_language"] = language
        page = client.post("/membership/new/", given).content.decode()
        assert words in page
        assert "annuaire-entreprises.data.gouv.fr" in page
        assert "education.gouv.fr/annuaire" in page
    assert not Candidacy.objects.exists()


def test_an_identifier_is_proposed_from_the_short_name(applicant: User) -> None:
    given = {**NANTES, "short_name": "École d’Été  à Nantes", "slug": ""}

    signed_in_as(applicant).post("/membership/new/", given)

    assert Candidacy.objects.get().slug == "ecole-dete-a-nantes"


def test_an_institution_that_is_in_already_is_sent_to_its_it_department(applicant: User) -> None:
    Institution.objects.filter(slug="rennes").update(siret=NANTES["siret"])

    assert code_of(lambda: begin_candidacy(by=applicant, facts=NANTES)) == "already_member"
    assert not Candidacy.objects.exists()


def test_an_institution_that_left_comes_back_under_its_old_identifier(
    cast: Cast, applicant: User
) -> None:
    Institution.objects.filter(pk=cast.orleans.pk).update(siret=NANTES["siret"])
    membership = cast.orleans.memberships.get()
    change_membership_state(by=OPERATOR, membership=membership, state=MembershipState.LEFT)

    candidacy, _agreement = make_submitted(applicant)

    assert candidacy.membership is not None
    assert candidacy.membership.institution == cast.orleans
    assert applicant.institution_ids() == frozenset()
    assert not Institution.objects.for_user(applicant).exists()


def test_a_candidacy_is_handed_in_whole_or_not_at_all(applicant: User) -> None:
    draft = begin_candidacy(by=applicant, facts=NANTES)

    with pytest.raises(ValidationError) as refused:
        submit_candidacy(by=applicant, candidacy=draft)

    assert len(refused.value.messages) == 5
    assert not Membership.objects.filter(institution__slug="nantes").exists()
    assert not StoredFile.objects.exists()


def test_an_applicant_has_one_draft(applicant: User) -> None:
    begin_candidacy(by=applicant, facts=NANTES)

    assert code_of(lambda: begin_candidacy(by=applicant, facts=NANTES)) == "one_draft"


def test_what_was_not_seen_is_not_overwritten(applicant: User) -> None:
    draft = begin_candidacy(by=applicant, facts=NANTES)
    seen = seen_of(draft, Part.INSTITUTION)
    other = {**NANTES, "short_name": "First"}
    describe_institution(by=applicant, candidacy=draft, seen=seen, facts=other)  # type: ignore[arg-type]

    code = code_of(
        lambda: describe_institution(by=applicant, candidacy=draft, seen=seen, facts=NANTES)
    )

    assert code == "changed_meanwhile"
    assert Candidacy.objects.get().short_name == "First"


def test_a_correction_draws_the_agreement_up_anew(applicant: User) -> None:
    candidacy, old = make_submitted(applicant)
    seen = seen_of(candidacy, Part.INSTITUTION)
    facts = {**NANTES, "name": "Université de Nantes"}

    describe_institution(by=applicant, candidacy=candidacy, seen=seen, facts=facts)  # type: ignore[arg-type]

    old.refresh_from_db()
    new = Agreement.objects.live().get()
    assert (old.state, new.state, new.number) == (AgreementState.VOID, AgreementState.DRAWN_UP, 2)
    assert new.drawn_up.sha256 != old.drawn_up.sha256
    assert Institution.objects.get(slug="nantes").name == "Université de Nantes"


def test_signed_facts_are_not_changed(applicant: User) -> None:
    candidacy, _agreement = make_candidate(applicant)
    seen = seen_of(candidacy, Part.INSTITUTION)

    code = code_of(
        lambda: describe_institution(by=applicant, candidacy=candidacy, seen=seen, facts=NANTES)
    )

    assert code == "signed"


def test_contacts_change_when_people_do_and_nothing_is_signed_anew(
    cast: Cast, applicant: User
) -> None:
    candidacy, agreement = make_candidate(applicant)
    institution = Institution.objects.get(slug="nantes")
    dsi = make_user("nantes_dsi")
    grant_role(by=OPERATOR, user=dsi, role=Role.MEMBER_DSI, institution_id=institution.pk)
    changed = CONTACTS[ContactRole.DPO].copy()
    changed["name"] = "Ada Lovelace"
    for person in (dsi, applicant):
        name_contacts(
            by=person,
            candidacy=candidacy,
            seen=seen_of(candidacy, Part.CONTACTS),
            contacts={ContactRole.DPO: changed},
        )
    with pytest.raises(PermissionDenied):
        name_contacts(
            by=cast.reims_dsi,
            candidacy=candidacy,
            seen=seen_of(candidacy, Part.CONTACTS),
            contacts=CONTACTS,
        )

    agreement.refresh_from_db()
    assert agreement.state == AgreementState.SIGNED
    assert candidacy.contacts.get(role=ContactRole.DPO).name == "Ada Lovelace"
    page = signed_in_as(dsi).get(f"/membership/{candidacy.pk}/").content.decode()
    assert f"/membership/{candidacy.pk}/contacts/" in page
    assert f"/membership/{candidacy.pk}/role/" not in page


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_pdf"),
        (b"PK\x03\x04 a document of a word processor", "no_pdf"),
        (b"<html>%PDF-1.7 %%EOF", "no_pdf"),
        (PDF[:-7], "cut_off"),
        (b"%PDF-1.7" + b"x" * MOST_BYTES + b"%%EOF", "too_large"),
    ],
)
def test_what_is_no_whole_pdf_file_is_refused(content: bytes, code: str) -> None:
    assert code_of(lambda: check_pdf(Upload("agreement.pdf", content))) == code


def test_a_file_of_the_largest_size_is_taken() -> None:
    content = b"%PDF-1.7" + b"x" * (MOST_BYTES - 13) + b"%%EOF"
    file: UploadedFile[Any] = SimpleUploadedFile("a.pdf", content)
    files = MultiValueDict({"file": [file]})
    form = UploadForm({}, files)

    assert form.is_valid(), form.errors
    assert len(form.cleaned_data["file"].content) == MOST_BYTES


def test_the_document_without_a_signature_is_not_taken_for_the_signed_one(applicant: User) -> None:
    _candidacy, agreement = make_submitted(applicant)
    upload = Upload("signed.pdf", bytes(agreement.drawn_up.content))

    code = code_of(
        lambda: sign_agreement(
            by=applicant, agreement=agreement, upload=upload, signatory="A", signatory_function="B"
        )
    )

    assert code == "unsigned"


def test_an_upload_that_is_refused_is_told_on_a_page_and_changes_nothing(applicant: User) -> None:
    _candidacy, agreement = make_submitted(applicant)
    client = signed_in_as(applicant)
    client.cookies["django_language"] = "fr"

    page = client.post(
        f"/agreements/{agreement.pk}/sign/",
        {
            "signatory": "Ada",
            "signatory_function": "DSI",
            "file": SimpleUploadedFile("accord.pdf", b"MZ no pdf", "application/pdf"),
        },
    ).content.decode()

    assert "n’est pas un PDF" in page
    agreement.refresh_from_db()
    assert agreement.state == AgreementState.DRAWN_UP


def test_the_pdf_bears_the_facts_in_the_applicants_language(cast: Cast) -> None:
    words = {"fr": "Accord de consortium", "en": "Consortium agreement"}
    sizes = {}

    for language in words:
        applicant = make_user(f"applicant_{language}", language=language)  # type: ignore[arg-type]
        candidacy, agreement = make_submitted(applicant)
        content = bytes(agreement.drawn_up.content)
        check_pdf(Upload("agreement.pdf", content))
        assert agreement.language == language
        assert b"FontFile2" in content  # embedded, so that it looks the same for years
        assert len(re.findall(rb"/Type /Page\b", content)) >= 2
        sizes[language] = agreement.drawn_up.sha256
        withdraw_candidacy(by=applicant, candidacy=candidacy)

    assert len(set(sizes.values())) == 2


def test_names_of_any_script_and_with_signs_of_markup_make_a_pdf(applicant: User) -> None:
    draft = make_draft(applicant)
    seen = seen_of(draft, Part.INSTITUTION)
    facts = {**NANTES, "name": "Śląsk & <b>Škola</b> $siret 大学"}
    describe_institution(by=applicant, candidacy=draft, seen=seen, facts=facts)  # type: ignore[arg-type]

    candidacy = submit_candidacy(by=applicant, candidacy=draft)

    assert candidacy.membership is not None
    assert candidacy.membership.agreements.get().drawn_up.size > 10_000


def test_an_agreement_that_comes_back_says_why_and_is_signed_again(
    cast: Cast, applicant: User
) -> None:
    candidacy, agreement = make_candidate(applicant)

    assert (
        code_of(lambda: send_back_agreement(by=cast.admin, agreement=agreement, remark=" "))
        == "no_reason"
    )
    send_back_agreement(by=cast.admin, agreement=agreement, remark="Page 2 cannot be read.")

    page = signed_in_as(applicant).get(f"/membership/{candidacy.pk}/").content.decode()
    assert "Page 2 cannot be read." in page
    sign_agreement(
        by=applicant, agreement=agreement, upload=SIGNED, signatory="A", signatory_function="B"
    )


def test_the_institutions_own_copy_is_not_countersigned(cast: Cast, applicant: User) -> None:
    _candidacy, agreement = make_candidate(applicant)
    assert agreement.signed is not None
    own = Upload("both.pdf", bytes(agreement.signed.content))

    code = code_of(lambda: countersign_agreement(by=cast.admin, agreement=agreement, upload=own))

    assert code == "not_countersigned"
    agreement.refresh_from_db()
    assert agreement.state == AgreementState.SIGNED


def test_a_suspended_member_reads_what_comes_next(
    cast: Cast, applicant: User, settings: Settings
) -> None:
    settings.SITE_CONTACT = "ilaas@example.org"
    candidacy, _agreement = make_candidate(applicant)
    membership = candidacy.membership
    assert membership is not None
    Membership.objects.filter(pk=membership.pk).update(state=MembershipState.SUSPENDED)

    page = signed_in_as(applicant).get(f"/membership/{candidacy.pk}/").content.decode()

    assert "Régler le motif avec la fédération" in page
    assert 'href="mailto:ilaas@example.org"' in page


def test_nobody_signs_for_both_sides(cast: Cast) -> None:
    _candidacy, agreement = make_candidate(cast.admin)

    with pytest.raises(PermissionDenied):
        countersign_agreement(by=cast.admin, agreement=agreement, upload=BOTH_SIGNED)


def test_one_administrator_alone_does_not_admit_a_candidate(cast: Cast, applicant: User) -> None:
    candidacy, _agreement = make_candidate(applicant)
    membership = candidacy.membership
    assert membership is not None

    code = code_of(
        lambda: change_membership_state(
            by=cast.admin, membership=membership, state=MembershipState.APPROVED
        )
    )

    assert code == "for_the_committee"


def test_a_candidacy_that_is_withdrawn_ends_whatever_waits(cast: Cast, applicant: User) -> None:
    candidacy, agreement = make_candidate(applicant)

    withdraw_candidacy(by=applicant, candidacy=candidacy)

    agreement.refresh_from_db()
    assert agreement.state == AgreementState.VOID
    candidacy = Candidacy.objects.get()
    assert standing_of(candidacy).is_over
    assert begin_candidacy(by=applicant, facts=NANTES).membership is None


def test_before_the_decision_a_candidate_has_no_right_at_all(applicant: User) -> None:
    make_candidate(applicant)
    fresh = User.objects.get(pk=applicant.pk)

    assert fresh.grants == frozenset()
    assert signed_in_as(fresh).get("/people/").status_code == 403


def test_the_applicant_reads_the_state_and_the_next_step_at_each_moment(
    cast: Cast, applicant: User
) -> None:
    draft = make_draft(applicant)
    whens = [[step.when for step in standing_of(draft).steps]]
    candidacy = submit_candidacy(by=applicant, candidacy=draft)
    whens.append([step.when for step in standing_of(candidacy).steps])
    assert candidacy.membership is not None
    agreement = candidacy.membership.agreements.get()
    sign_agreement(
        by=applicant, agreement=agreement, upload=SIGNED, signatory="A", signatory_function="B"
    )
    whens.append([step.when for step in standing_of(candidacy).steps])

    done, now, later = When.DONE, When.NOW, When.LATER
    assert whens == [
        [done, now, later, later, later],
        [done, done, now, later, later],
        [done, done, done, now, later],
    ]


def test_the_committee_is_told_in_its_own_language_when_somebody_applies(
    cast: Cast, applicant: User
) -> None:
    User.objects.filter(pk=cast.admin.pk).update(language="en")

    with override("fr"):
        make_submitted(applicant)

    letter = next(letter for letter in deliver() if letter.to == [cast.admin.email])
    assert "Nantes Université applies" in letter.subject
    assert letter.body.startswith("Hello,")
    assert "/members/" in letter.body


def test_the_journal_holds_no_name_and_no_address(applicant: User) -> None:
    make_candidate(applicant)

    told = " ".join(str(event.diff) for event in AuditEvent.objects.all())

    for secret in ("Nantes", "governance@", "Contact", applicant.email):
        assert secret not in told


def test_two_who_hand_in_at_once_make_one_candidate(transactional_db: None) -> None:
    make_cast()
    applicant = make_user("applicant")
    draft = make_draft(applicant)

    def hand_in() -> None:
        try:
            submit_candidacy(by=applicant, candidacy=draft)
        except ValidationError:
            pass
        finally:
            connection.close()

    at_once([hand_in, hand_in])

    assert Membership.objects.filter(institution__slug="nantes").count() == 1
    assert not User.objects.get(pk=applicant.pk).has_role(Role.MEMBER_DSI)
