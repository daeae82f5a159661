"""A sentence for every verb of the journal. A verb without one is shown as it is; a test finds it first."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Text = str | Promise

GROUPS: dict[str, Text] = {
    "access": pgettext_lazy("journal", "keys and applications"),
    "billing": pgettext_lazy("journal", "usage"),
    "catalogue": pgettext_lazy("journal", "models"),
    "fleet": pgettext_lazy("journal", "servers"),
    "members": pgettext_lazy("journal", "members"),
    "people": pgettext_lazy("journal", "accounts and roles"),
}
"""What an act is about: the first part of its verb."""

SENTENCES: dict[str, Text] = {
    "access.create_application": _("%(actor)s created an application"),
    "access.hand_over": _("%(actor)s handed an application over"),
    "access.give_to_team": _("%(actor)s gave an application to a team"),
    "access.add_manager": _("%(actor)s gave an application another manager"),
    "access.remove_manager": _("%(actor)s took a manager from an application"),
    "access.issue_key": _("%(actor)s issued a key"),
    "access.change_key": _("%(actor)s changed what a key may do"),
    "access.replace_key": _("%(actor)s replaced a key by a new one"),
    "access.revoke_key": _("%(actor)s revoked a key"),
    "access.set_limit": _("%(actor)s set a limit"),
    "access.remove_limit": _("%(actor)s removed a limit"),
    "access.set_threshold": _(
        "%(actor)s changed how long a queue may be that a key’s requests join"
    ),
    "billing.import_requests": _("%(actor)s took over requests from another dispatcher"),
    "catalogue.register_model": _("%(actor)s entered a model in the catalogue"),
    "catalogue.describe_model": _("%(actor)s edited the card of a model"),
    "catalogue.add_version": _("%(actor)s added a version of a model"),
    "catalogue.add_alias": _("%(actor)s gave a model another name"),
    "catalogue.change_stage": _("%(actor)s moved a model to another stage"),
    "catalogue.set_routing": _("%(actor)s changed how a model’s requests are shared out"),
    "fleet.add_site": _("%(actor)s added a site"),
    "fleet.set_site_labels": _("%(actor)s changed the labels of a site"),
    "fleet.save_draft": _("%(actor)s saved the draft of a technical form"),
    "fleet.submit_form": _("%(actor)s handed a technical form in"),
    "fleet.revise_form": _("%(actor)s changed a technical form"),
    "fleet.accept_form": _("%(actor)s accepted a server"),
    "fleet.decline_form": _("%(actor)s declined a server"),
    "fleet.register_server": _("%(actor)s registered a server"),
    "fleet.change_server_state": _("%(actor)s moved a server to another state"),
    "fleet.change_engine": _("%(actor)s changed the engine of a server"),
    "fleet.limit_server": _("%(actor)s changed how many requests a server takes at once"),
    "fleet.move_server": _("%(actor)s gave a server another address"),
    "fleet.rotate_credential": _("%(actor)s replaced the access key of a server"),
    "fleet.grant_egress": _("%(actor)s allowed the router a private address"),
    "fleet.revoke_egress": _("%(actor)s took back leave for a private address"),
    "fleet.deploy_model": _("%(actor)s put a model on a server"),
    "fleet.retire_deployment": _("%(actor)s took a model off a server"),
    "fleet.set_guest_rules": _("%(actor)s changed a server’s rules for guests"),
    "fleet.plan_maintenance": _("%(actor)s planned a maintenance"),
    "fleet.begin_maintenance": _("%(actor)s began a maintenance"),
    "fleet.end_maintenance": _("%(actor)s ended a maintenance"),
    "fleet.cancel_maintenance": _("%(actor)s cancelled a maintenance"),
    "fleet.request_run": _("%(actor)s asked for a server to be checked"),
    "fleet.conclude_run": _("%(actor)s concluded the checks of a server"),
    "members.begin_candidacy": _("%(actor)s began a candidacy"),
    "members.change_candidacy": _("%(actor)s changed a candidacy"),
    "members.submit_candidacy": _("%(actor)s handed a candidacy in"),
    "members.withdraw_candidacy": _("%(actor)s withdrew a candidacy"),
    "members.add_institution": _("%(actor)s entered an institution"),
    "members.propose_membership": _("%(actor)s proposed a membership"),
    "members.change_membership_state": _("%(actor)s moved a membership to another state"),
    "members.draw_up_agreement": _("%(actor)s drew up a consortium agreement"),
    "members.sign_agreement": _("%(actor)s handed in a signed agreement"),
    "members.send_back_agreement": _("%(actor)s sent a signed agreement back"),
    "members.countersign_agreement": _("%(actor)s countersigned an agreement"),
    "members.publish_text": _("%(actor)s published a text"),
    "members.accept_charter": _("%(actor)s accepted the charter"),
    "members.open_ballot": _("%(actor)s put a question to the vote"),
    "members.cast_vote": _("%(actor)s voted"),
    "members.close_ballot": _("%(actor)s closed a vote"),
    "members.cancel_ballot": _("%(actor)s cancelled a vote"),
    "members.invite": _("%(actor)s invited somebody"),
    "members.resend_invitation": _("%(actor)s sent an invitation again"),
    "members.withdraw_invitation": _("%(actor)s withdrew an invitation"),
    "members.accept_invitation": _("%(actor)s accepted an invitation"),
    "members.create_team": _("%(actor)s created a team"),
    "members.add_to_team": _("%(actor)s took somebody into a team"),
    "members.remove_from_team": _("%(actor)s removed somebody from a team"),
    "members.close_team": _("%(actor)s closed a team"),
    "members.create_service_account": _("%(actor)s opened an account for a program"),
    "people.create_user": _("%(actor)s opened an account for somebody"),
    "people.open_account": _("%(actor)s opened an account by invitation"),
    "people.sign_up": _("%(actor)s signed up"),
    "people.close_account": _("%(actor)s closed an account"),
    "people.set_password": _("%(actor)s set the password of an account"),
    "people.grant_role": _("%(actor)s gave somebody a role"),
    "people.revoke_role": _("%(actor)s took a role from somebody"),
    "people.choose_language": _("%(actor)s chose a language"),
    "people.make_first_admin_link": _("%(actor)s made the link for the first administrator"),
    "people.claim_first_admin": _("%(actor)s became the first administrator"),
}


def sentence(verb: str, actor: str) -> str:
    """Return what was done, in words; `verb` itself where nobody has put it into words."""
    text = SENTENCES.get(verb)
    return str(text) % {"actor": actor} if text else f"{actor}: {verb}"
