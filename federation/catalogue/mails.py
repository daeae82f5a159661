"""The e-mails about models: to the committee, to who proposed one, and to the people whose keys used one."""

from datetime import timedelta
from functools import partial

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.catalogue.audience import DAYS
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, Announcement, Notice, Proposal
from federation.members.queries import committee
from federation.people.letters import Letter, Wording, page_address
from federation.people.post import post, post_each

WORDS = {
    AnnouncementKind.DEPRECATED: (
        gettext_lazy("%(name)s is retired on %(day)s"),
        gettext_lazy(
            "“%(name)s” is deprecated. It works as before until %(last_day)s included; from %(day)s on, "
            "requests for it are refused."
        ),
    ),
    AnnouncementKind.MOVED: (
        gettext_lazy("%(name)s: what was announced has changed"),
        gettext_lazy(
            "“%(name)s” is deprecated, as you know, and its end has changed: it works until %(last_day)s "
            "included; from %(day)s on, requests for it are refused."
        ),
    ),
    AnnouncementKind.REMINDER: (
        gettext_lazy("Reminder: %(name)s is retired on %(day)s"),
        gettext_lazy("From %(day)s on, requests for “%(name)s” are refused."),
    ),
    AnnouncementKind.KEPT: (
        gettext_lazy("%(name)s stays in production"),
        gettext_lazy("“%(name)s” was to be retired. It stays after all: there is nothing to do."),
    ),
    AnnouncementKind.ALIAS: (
        gettext_lazy("The name %(name)s is answered until %(last_day)s included"),
        gettext_lazy("From %(day)s on, requests for “%(name)s” are refused."),
    ),
}
"""Of each announcement its subject, and what it says."""
TAKEN_AWAY = (
    gettext_lazy("The name %(name)s is taken away"),
    gettext_lazy("Since %(day)s, requests for “%(name)s” are refused."),
)
"""Of an alias without notice."""


def tell_proposal(proposal: Proposal) -> None:
    """Tell the committee that a model is proposed."""
    post_each(committee(), partial(_proposal, proposal))


def _proposal(proposal: Proposal) -> Letter:
    return Letter(
        _("A model is proposed: %(model)s") % {"model": proposal.model},
        (
            proposal.reason,
            _("Put it to the vote, or say no, on its page:"),
            page_address("model_life", proposal.model_id),
        ),
    )


def tell_adopted(model: AIModel) -> None:
    _tell_proposer(
        model,
        lambda: Letter(
            _("%(model)s is taken on trial") % {"model": model},
            (
                _(
                    "The federation has said yes to your proposal. Once a server of the model is in "
                    "service, it is tried with a few keys and then offered to everybody."
                ),
            ),
        ),
    )


def tell_not_adopted(model: AIModel) -> None:
    _tell_proposer(
        model,
        lambda: Letter(
            _("%(model)s is not taken for now") % {"model": model},
            (
                _(
                    "The committee has not said yes to your proposal. It stays, and may be put to the "
                    "vote again; you may withdraw it."
                ),
            ),
        ),
    )


def _tell_proposer(model: AIModel, wording: Wording) -> None:
    """Who stands by the proposal."""
    proposal = model.proposals.standing().select_related("proposed_by").first()
    if proposal is None or proposal.proposed_by is None:
        return
    page = page_address("proposal", proposal.pk)

    def with_page() -> Letter:
        subject, paragraphs = wording()
        return Letter(subject, (*paragraphs, page))

    post(proposal.proposed_by, with_page)


def lies_ahead(announcement: Announcement) -> bool:
    """Say whether it tells of an end to come, rather than of a name that is taken away at once."""
    return announcement.alias is None or announcement.alias.removed_at is None


def notice_letter(notice: Notice) -> Letter:
    announcement = notice.announcement
    model, alias, ends_on = announcement.model, announcement.alias, announcement.ends_on
    said = {
        "name": alias.name if alias else model.slug,
        "day": date_format(ends_on) if ends_on else "",
        "last_day": date_format(ends_on - timedelta(days=1)) if ends_on else "",
    }
    kind = AnnouncementKind(announcement.kind)
    subject, text = WORDS[kind] if lies_ahead(announcement) else TAKEN_AWAY
    used = _("These keys that you answer for have used it in the last %(days)s days:")
    keys = "\n".join(f"- {key}" for key in notice.keys)
    paragraphs = (
        text % said,
        _what_to_do(alias.instead if alias else model.successor) if ends_on else "",
        model.deprecation_note if ends_on and not alias else "",
        f"{used % {'days': DAYS}}\n\n{keys}",
        page_address("model", model.slug),
    )
    return Letter(subject % said, paragraphs)


def _what_to_do(successor: AIModel | None) -> str:
    if successor is None:
        return _("There is no successor: the catalogue shows what else there is.")
    text = _(
        "Use “%(name)s” instead: write this name where your software has the old one, as “model”. The "
        "address and the keys stay. To a key that is bound to certain models, add it under “Change” on the "
        "key’s page."
    )
    return text % {"name": successor.slug}
