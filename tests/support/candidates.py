"""A candidate of the tests: Nantes applies, fills everything in, hands in, signs."""

from federation.members.enums import ContactRole, Contribution
from federation.members.files import Upload
from federation.members.models import Agreement, Candidacy
from federation.members.operations.agreements import sign_agreement
from federation.members.operations.candidacies import (
    ContactFacts,
    InstitutionFacts,
    PartFacts,
    begin_candidacy,
    describe_part,
    name_contacts,
    submit_candidacy,
)
from federation.members.queries import Part, seen_of
from federation.people.models import User

PDF = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n"
SIGNED = Upload("signed.pdf", PDF)
BOTH_SIGNED = Upload("both.pdf", PDF + b"%\n%%EOF\n")
NANTES = InstitutionFacts(
    name="Nantes Université",
    short_name="Nantes",
    slug="nantes",
    uai="0442953W",
    siret="13002974700016",
)
ANGERS = InstitutionFacts(
    name="Université d’Angers",
    short_name="Angers",
    slug="angers",
    uai="0490970N",
    siret="19490970100303",
)
CONTACTS = {
    role: ContactFacts(
        name=f"Contact {role.value}",
        function="Vice-présidente numérique",
        email=f"{role.value}@nantes.example",
        phone="",
    )
    for role in ContactRole
}
PART = PartFacts(
    is_contributor=True, is_consumer=True, contributions=[Contribution.NODE.value], motivation=""
)


def make_draft(applicant: User, facts: InstitutionFacts = NANTES) -> Candidacy:
    """Everything filled in, nothing handed in."""
    draft = begin_candidacy(by=applicant, facts=facts)
    describe_part(by=applicant, candidacy=draft, seen=seen_of(draft, Part.ROLE), facts=PART)
    seen = seen_of(draft, Part.CONTACTS)
    return name_contacts(by=applicant, candidacy=draft, seen=seen, contacts=CONTACTS)


def make_submitted(applicant: User) -> tuple[Candidacy, Agreement]:
    candidacy = submit_candidacy(by=applicant, candidacy=make_draft(applicant))
    assert candidacy.membership is not None
    return candidacy, candidacy.membership.agreements.get()


def make_candidate(applicant: User) -> tuple[Candidacy, Agreement]:
    """Handed in and signed."""
    candidacy, agreement = make_submitted(applicant)
    signed = sign_agreement(
        by=applicant,
        agreement=agreement,
        upload=SIGNED,
        signatory="Contact governance",
        signatory_function="Vice-présidente numérique",
    )
    return candidacy, signed
