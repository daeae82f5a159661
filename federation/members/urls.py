"""Joining, candidacies, the committee, published texts, and the people of an institution."""

from django.urls import path, register_converter

from federation.members.enums import TextKind
from federation.members.queries import Part
from federation.members.views import (
    agreements,
    ballots,
    candidacies,
    committee,
    invitations,
    joining,
    people,
    teams,
    texts,
)


class PartConverter:
    regex = "|".join(Part)

    def to_python(self, value: str) -> Part:
        return Part(value)

    def to_url(self, value: Part) -> str:
        return Part(value).value


class TextKindConverter:
    regex = "|".join(TextKind.values)

    def to_python(self, value: str) -> TextKind:
        return TextKind(value)

    def to_url(self, value: TextKind) -> str:
        return TextKind(value).value


register_converter(PartConverter, "part")
register_converter(TextKindConverter, "text")

urlpatterns = [
    path("join/", joining.join, name="join"),
    path("charter/", joining.charter, name="charter"),
    path("membership/", candidacies.mine, name="membership"),
    path("membership/new/", candidacies.begin, name="begin_candidacy"),
    path("membership/<uuid:pk>/", candidacies.candidacy, name="candidacy"),
    path("membership/<uuid:pk>/<part:part>/", candidacies.fill_in, name="candidacy_part"),
    path("membership/<uuid:pk>/submit/", candidacies.submit, name="submit_candidacy"),
    path("membership/<uuid:pk>/withdraw/", candidacies.withdraw, name="withdraw_candidacy"),
    path("agreements/<uuid:pk>/sign/", agreements.sign, name="sign_agreement"),
    path("agreements/<uuid:pk>/countersign/", agreements.countersign, name="countersign"),
    path("agreements/<uuid:pk>/send-back/", agreements.send_back, name="send_back"),
    path("agreements/files/<uuid:pk>/", agreements.download, name="agreement_file"),
    path("members/", committee.members, name="members"),
    path("members/<uuid:pk>/", committee.member, name="member"),
    path("members/<uuid:pk>/ballot/", committee.put_to_the_vote, name="put_to_the_vote"),
    path("members/<uuid:pk>/decide/", committee.decide, name="decide_membership"),
    path("ballots/", ballots.history, name="ballots"),
    path("ballots/<uuid:pk>/", ballots.ballot, name="ballot"),
    path("ballots/<uuid:pk>/close/", ballots.close, name="close_ballot"),
    path("ballots/<uuid:pk>/cancel/", ballots.cancel, name="cancel_ballot"),
    path("texts/<text:kind>/", texts.text, name="published_text"),
    path("people/", people.people, name="people"),
    path("people/invite/", people.invite_somebody, name="invite"),
    path("people/roles/", people.give_role, name="give_role"),
    path("people/roles/<uuid:pk>/revoke/", people.revoke, name="revoke_role"),
    path("people/accounts/<uuid:pk>/close/", people.close, name="close_account"),
    path("people/accounts/<uuid:pk>/second-factor/", people.reset_factor, name="reset_factor"),
    path("people/service-accounts/new/", people.new_service_account, name="new_service_account"),
    path("people/teams/new/", teams.new, name="new_team"),
    path("people/teams/<uuid:pk>/", teams.team, name="team"),
    path("people/teams/<uuid:pk>/close/", teams.close, name="close_team"),
    path("people/teams/places/<uuid:pk>/remove/", teams.remove, name="remove_from_team"),
    path("people/invitations/<uuid:pk>/resend/", invitations.resend, name="resend_invitation"),
    path(
        "people/invitations/<uuid:pk>/withdraw/", invitations.withdraw, name="withdraw_invitation"
    ),
    path("people/invitation/<str:token>/", invitations.accept, name="accept_invitation"),
]
