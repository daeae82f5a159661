"""Writes about agreements: drawn up by the product, signed by the institution, countersigned by the federation."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members import mails, policies
from federation.members.enums import (
    AGREEMENT_TRANSITIONS,
    AgreementState,
    ContactRole,
    Contribution,
    TextKind,
)
from federation.members.files import (
    Upload,
    check_is_countersigned_copy,
    check_is_signed_copy,
    keep_file,
)
from federation.members.markup import filled
from federation.members.models import Agreement, Candidacy, StoredFile
from federation.members.operations.memberships import admit_if_settled
from federation.members.operations.texts import kept_text
from federation.members.pdf import Party, agreement_pdf
from federation.people.models import User
from federation.transitions import check_transition


def draw_up(*, by: User, candidacy: Candidacy) -> Agreement:
    """Write the agreement of a submitted candidacy as a PDF to be signed. The caller has asked the policy."""
    membership = candidacy.membership
    assert membership is not None  # it is submitted
    text = kept_text(TextKind.AGREEMENT)
    number = membership.agreements.count() + 1
    language = by.language
    with override(language):
        reference = _(
            "Agreement %(institution)s no. %(number)s, text version %(version)s, %(day)s"
        ) % {
            "institution": candidacy.short_name,
            "number": number,
            "version": text.number,
            "day": date_format(timezone.localdate(), "j F Y"),
        }
        content = agreement_pdf(
            blocks=filled(text.in_language(language), _facts(candidacy)),
            parties=_parties(candidacy),
            reference=reference,
            language=language,
        )
    upload = Upload(f"{candidacy.slug}-{number}.pdf", content)
    agreement = Agreement.objects.create(
        membership=membership,
        number=number,
        text=text,
        language=language,
        drawn_up=keep_file(by=by, upload=upload),
    )
    _tell(by, agreement, "members.draw_up_agreement", agreement.drawn_up)
    return agreement


@transaction.atomic
def sign_agreement(
    *, by: User, agreement: Agreement, upload: Upload, signatory: str, signatory_function: str
) -> Agreement:
    """Hand in the signed agreement. Raises `ValidationError` when the file is none, or not the moment."""
    locked = _locked(agreement)
    policies.check_sign(by, locked)
    check_transition(AGREEMENT_TRANSITIONS, AgreementState(locked.state), AgreementState.SIGNED)
    check_is_signed_copy(upload, locked.drawn_up)
    locked.signed = keep_file(by=by, upload=upload)
    locked.signatory = signatory.strip()
    locked.signatory_function = signatory_function.strip()
    locked.signed_at, locked.remark = timezone.now(), ""
    _move(locked, AgreementState.SIGNED)
    _tell(by, locked, "members.sign_agreement", locked.signed)
    mails.tell_signature(locked)
    return locked


@transaction.atomic
def send_back_agreement(*, by: Actor, agreement: Agreement, remark: str) -> Agreement:
    """Ask for another signed copy and say why, such as a page that cannot be read."""
    locked = _locked(agreement)
    policies.check_countersign(by, locked)
    check_transition(AGREEMENT_TRANSITIONS, AgreementState(locked.state), AgreementState.DRAWN_UP)
    policies.check_reason(remark)
    locked.signed = locked.signed_at = None
    locked.signatory = locked.signatory_function = ""
    locked.remark = remark.strip()
    _move(locked, AgreementState.DRAWN_UP)
    _tell(by, locked, "members.send_back_agreement", None)
    mails.tell_sent_back(locked)
    return locked


@transaction.atomic
def countersign_agreement(*, by: Actor, agreement: Agreement, upload: Upload) -> Agreement:
    """Hand in the copy with both signatures; with the committee's yes, the institution is a member."""
    locked = _locked(agreement)
    policies.check_countersign(by, locked)
    check_transition(
        AGREEMENT_TRANSITIONS, AgreementState(locked.state), AgreementState.COUNTERSIGNED
    )
    check_is_countersigned_copy(upload, locked)
    locked.countersigned = keep_file(by=by, upload=upload)
    locked.countersigned_at = timezone.now()
    _move(locked, AgreementState.COUNTERSIGNED)
    _tell(by, locked, "members.countersign_agreement", locked.countersigned)
    admit_if_settled(by=by, membership=locked.membership)
    return locked


def _locked(agreement: Agreement) -> Agreement:
    rows = Agreement.objects.select_for_update(of=("self",))
    return rows.select_related("membership__institution", "drawn_up", "signed").get(pk=agreement.pk)


def _move(locked: Agreement, state: AgreementState) -> None:
    locked.state = state
    locked.full_clean()
    locked.save()


def _tell(by: Actor, agreement: Agreement, verb: str, file: StoredFile | None) -> None:
    record(
        by=by,
        verb=verb,
        obj=agreement,
        institution=agreement.membership.institution,
        diff={"state": agreement.state} | ({"sha256": file.sha256} if file else {}),
    )


def _facts(candidacy: Candidacy) -> dict[str, str]:
    """What stands in the place of each name of the template, in the language in force."""
    roles = [
        label
        for holds, label in (
            (candidacy.is_contributor, _("contributor")),
            (candidacy.is_consumer, _("consumer")),
        )
        if holds
    ]
    contributions = [str(Contribution(kind).label) for kind in candidacy.contributions]
    governance = candidacy.contacts.get(role=ContactRole.GOVERNANCE)
    return {
        "federation": settings.SITE_NAME,
        "institution": candidacy.name,
        "short_name": candidacy.short_name,
        "siret": candidacy.siret,
        "uai": candidacy.uai or _("none"),
        "role": ", ".join(roles),
        "contributions": "; ".join(contributions) or _("none"),
        "governance_name": governance.name,
        "governance_function": governance.function,
    }


def _parties(candidacy: Candidacy) -> tuple[Party, Party]:
    governance = candidacy.contacts.get(role=ContactRole.GOVERNANCE)
    return (
        Party(
            _("For %(institution)s") % {"institution": candidacy.name},
            f"{governance.name}, {governance.function}",
        ),
        Party(
            _("For the federation %(name)s") % {"name": settings.SITE_NAME}, _("for the committee")
        ),
    )
