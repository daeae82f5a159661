"""Acts about applications, keys and limits."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from federation.access import keyring, trials
from federation.access import operations as access
from federation.access.models import ApiKey
from federation.people.models import User
from routing.core.enums import Measure, PriorityClass, RoutingMode, Told
from routing.core.keys import digest
from tests.integration.federation.acts.who import ADMIN, NOBODY, RENNES_DSI, Acts
from tests.integration.federation.world import World


def soon() -> datetime:
    return timezone.now() + timedelta(days=7)


def leaked(world: World) -> str:
    """Return a text by which a key is known from now on, without a word in the journal."""
    text = "found in public"
    ApiKey.objects.filter(pk=world.key.pk).update(digest=digest(settings.PEPPER.encode(), text))
    return text


def managing(world: World) -> User:
    """Return somebody who manages the user's application, too."""
    manager = world.cast.rennes_dsi
    world.users_application.managers.add(manager)
    return manager


ACTS: Acts = {
    "name_for_trial": (
        RENNES_DSI,
        lambda w, by: trials.name_for_trial(by=by, model=w.trial.model, key=w.key),
    ),
    "name_for_trial a key of others": (
        ADMIN,
        lambda w, by: trials.name_for_trial(
            by=by,
            model=w.trial.model,
            key=ApiKey.objects.get(application__institution=w.cast.orleans),
        ),
    ),
    "end_trial": (RENNES_DSI, lambda w, by: trials.end_trial(by=by, trial=w.trial)),
    "create_application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.create_application(by=by, institution=w.cast.rennes, name="new"),
    ),
    "issue_key": (
        RENNES_DSI,
        lambda w, by: access.issue_key(by=by, application=w.application, name="new"),
    ),
    "issue_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.issue_key(by=by, application=w.users_application, name="new"),
    ),
    "issue_key of the highest class": (
        RENNES_DSI,
        lambda w, by: access.issue_key(
            by=by, application=w.users_application, name="new", priority=PriorityClass.P5
        ),
    ),
    "change_key": (
        RENNES_DSI,
        lambda w, by: access.change_key(
            by=by,
            key=w.users_application.keys.get(),
            priority=PriorityClass.P4,
            routing_mode=RoutingMode.PRIVATE_FIRST,
            answers_200_when_full=True,
        ),
    ),
    "change_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.change_key(
            by=by,
            key=w.users_application.keys.get(),
            priority=PriorityClass.P2,
            routing_mode=RoutingMode.ANY,
            tells=[Told.CARBON],
            answers_200_when_full=False,
        ),
    ),
    "revoke_leaked_key": (
        RENNES_DSI,
        lambda w, by: access.revoke_leaked_key(by=by, key=w.key, reason="found in public"),
    ),
    "revoke_key": (RENNES_DSI, lambda w, by: access.revoke_key(by=by, key=w.key, reason="leak")),
    "revoke_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.revoke_key(
            by=by, key=w.users_application.keys.get(), reason="replaced"
        ),
    ),
    "replace_key": (
        RENNES_DSI,
        lambda w, by: keyring.replace_key(by=by, key=w.key, old_until=soon()),
    ),
    "replace_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: keyring.replace_key(
            by=by, key=w.users_application.keys.get(), old_until=soon()
        ),
    ),
    "revoke_keys": (
        RENNES_DSI,
        lambda w, by: keyring.revoke_keys(
            by=by, institution=w.cast.rennes, key_ids=[w.key.pk], reason="audit"
        ),
    ),
    "report_leak": (
        NOBODY,
        lambda w, by: keyring.report_leak(by=by, text=leaked(w)),
    ),
    "hand_over": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.hand_over(
            by=by, application=w.users_application, owner=w.cast.rennes_dsi
        ),
    ),
    "give_to_team": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.give_to_team(by=by, application=w.users_application, team=None),
    ),
    "add_manager": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.add_manager(
            by=by, application=w.users_application, manager=w.cast.rennes_dsi
        ),
    ),
    "remove_manager": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.remove_manager(
            by=by, application=w.users_application, manager=managing(w)
        ),
    ),
    "set_limit of an institution": (
        ADMIN,
        lambda w, by: access.set_limit(
            by=by, owner=w.cast.rennes, measure=Measure.TOKENS_PER_DAY, most=10**10
        ),
    ),
    "set_limit of an application": (
        RENNES_DSI,
        lambda w, by: access.set_limit(
            by=by, owner=w.users_application, measure=Measure.AT_ONCE, most=3
        ),
    ),
    "set_limit of one's own key": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.set_limit(
            by=by, owner=w.users_application.keys.get(), measure=Measure.AT_ONCE, most=3
        ),
    ),
    "remove_limit": (RENNES_DSI, lambda w, by: access.remove_limit(by=by, limit=w.limit)),
    "set_threshold": (
        RENNES_DSI,
        lambda w, by: access.set_threshold(by=by, key=w.key, threshold=10),
    ),
}
