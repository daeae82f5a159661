"""Exactly the people whose keys used a model are told of its end: each once, in their language, whatever happens."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from billing.models import UsageRecord
from federation.access.models import ApiKey
from federation.access.operations import add_manager, revoke_key
from federation.catalogue.audience import audience_of
from federation.catalogue.models import AIModel, Announcement, Notice
from federation.catalogue.operations.aliases import add_alias, end_alias, remove_alias
from federation.catalogue.operations.life import change_deprecation, restore_model, retire_model
from federation.catalogue.tasks import follow_calendar
from federation.fleet.models import Deployment
from federation.people.enums import AccountKind, Language, Role
from federation.people.models import Mail, RoleGrant, User
from tests.integration.federation.crowd import at_once
from tests.support.calls import store_calls
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_key,
    make_model,
    make_user,
    serve_model,
)
from tests.support.lifecycle import bring_the_day, deprecate, in_days
from tests.support.post import recipients


def used_key(deployment: Deployment, owner: User | None, name: str, **calls: Any) -> ApiKey:
    """A key of an application of Rennes that has used the model."""
    institution = deployment.server.site.institution
    key, _text = make_key(make_application(institution, owner, name))
    store_calls(key, deployment, **calls)
    return key


def told() -> list[str]:
    """Send what is to be sent; return to whom it went, in this order."""
    mail.outbox.clear()
    return recipients()


def test_exactly_the_people_whose_keys_used_it_in_thirty_days_are_told(
    cast: Cast, deployment: Deployment
) -> None:
    colleague = make_user("colleague", Role.USER, cast.rennes)
    shared = used_key(deployment, cast.rennes_user, "moodle")
    add_manager(by=OPERATOR, application=shared.application, manager=colleague)
    long_ago = timezone.now() - timedelta(days=31)
    used_key(deployment, make_user("long_ago", Role.USER, cast.rennes), "old", at=long_ago)
    make_key(make_application(cast.rennes, make_user("idle", Role.USER, cast.rennes)))
    other = serve_model(cast.rennes, "other-7b")
    used_key(other, make_user("of_others", Role.USER, cast.rennes), "elsewhere")

    deprecate(deployment.version.model)

    assert told() == ["colleague@example.org", "rennes_user@example.org"]
    assert told() == []


def test_a_key_that_was_revoked_since_counts_and_one_that_only_names_the_model_does_not(
    cast: Cast, deployment: Deployment
) -> None:
    model = deployment.version.model
    gone = used_key(deployment, cast.rennes_user, "moodle")
    revoke_key(by=OPERATOR, key=gone, reason="replaced")
    make_key(
        make_application(cast.rennes, make_user("binds", Role.USER, cast.rennes)), models=[model]
    )

    found = audience_of(model)

    assert [reader.person for reader in found.readers] == [cast.rennes_user]
    assert (found.used, found.named, found.requests) == (1, 1, 1)


def test_where_nobody_answers_for_a_key_its_it_department_is_told(
    cast: Cast, deployment: Deployment
) -> None:
    program = make_user("program", Role.USER, cast.rennes)
    User.objects.filter(pk=program.pk).update(kind=AccountKind.SERVICE)
    used_key(deployment, program, "nightly")
    left = make_user("left", Role.USER, cast.rennes)
    used_key(deployment, left, "abandoned")
    RoleGrant.objects.filter(user=left).delete()
    closed = make_user("closed", Role.USER, cast.rennes)
    used_key(deployment, closed, "closed")
    User.objects.filter(pk=closed.pk).update(is_active=False)

    deprecate(deployment.version.model)

    assert told() == ["rennes_dsi@example.org"]
    keys = Notice.objects.get().keys
    assert keys == ["abandoned · essai", "closed · essai", "nightly · essai"]


def test_who_is_told_takes_as_many_queries_for_one_application_as_for_many(
    cast: Cast, deployment: Deployment
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            audience_of(deployment.version.model)
        return len(captured)

    used_key(deployment, cast.rennes_user, "moodle")
    one = queries()
    for number in range(4):
        owner = make_user(f"owner_{number}", Role.USER, cast.rennes)
        used_key(deployment, owner, f"application {number}")
    used_key(deployment, None, "nobody's")

    assert len(audience_of(deployment.version.model).readers) == 6
    assert queries() == one


def test_a_letter_names_the_keys_the_day_and_the_successor_in_its_readers_language(
    cast: Cast, deployment: Deployment, successor: AIModel
) -> None:
    english = make_user("english", Role.USER, cast.rennes, language=Language.ENGLISH)
    used_key(deployment, cast.rennes_user, "moodle")
    used_key(deployment, cast.rennes_user, "annotation")
    used_key(deployment, english, "thesis")

    deprecate(deployment.version.model, successor=successor)

    told()
    letters = {message.to[0]: message for message in mail.outbox}
    french, other = letters["rennes_user@example.org"], letters["english@example.org"]
    day = in_days(90)
    assert f"retiré le {day.day}" in french.subject
    assert "- annotation · essai\n- moodle · essai" in french.body
    assert "llama-3.3-70b" in french.body
    with translation.override("en"):
        assert "is retired on" in other.subject
    assert "thesis · essai" in other.body
    assert "moodle" not in other.body
    for letter in (french, other):
        assert "ilaas_" not in str(letter.body)  # no key's own text


def test_another_date_is_told_again_a_note_alone_is_not(cast: Cast, deployment: Deployment) -> None:
    model = deprecate(deployment.version.model)
    used_key(deployment, cast.rennes_user, "moodle")
    assert told() == []

    change_deprecation(by=OPERATOR, model=model, retires_on=in_days(90), note_fr="Un mot.")
    assert told() == []
    change_deprecation(by=OPERATOR, model=model, retires_on=in_days(120))

    assert told() == ["rennes_user@example.org"]


def test_who_was_told_of_an_end_is_told_that_it_stays(cast: Cast, deployment: Deployment) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    model = deprecate(deployment.version.model)
    told()

    restore_model(by=OPERATOR, model=model, reason="still needed")

    assert told() == ["rennes_user@example.org"]
    assert "reste en production" in mail.outbox[0].subject


def test_what_was_overtaken_before_it_was_sent_is_not_told(
    cast: Cast, deployment: Deployment
) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    model = deprecate(deployment.version.model)
    restore_model(by=OPERATOR, model=model, reason="a mistake")

    assert told() == ["rennes_user@example.org"]
    assert "reste en production" in mail.outbox[0].subject


def test_a_week_before_its_end_its_users_are_reminded_once(
    cast: Cast, deployment: Deployment
) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    model = deprecate(deployment.version.model)
    told()
    long_ago = timezone.now() - timedelta(days=60)
    for days, expected in ((8, 0), (7, 1), (7, 1)):
        day = in_days(days)
        AIModel.objects.filter(pk=model.pk).update(retires_on=day)
        Announcement.objects.filter(kind="deprecated").update(ends_on=day, created_at=long_ago)
        follow_calendar()
        reminders = Announcement.objects.filter(kind="reminder")
        assert reminders.count() == expected, days

    assert told() == ["rennes_user@example.org"]
    assert Notice.objects.filter(announcement__in=reminders, sent_at__isnull=False).count() == 1


def test_who_has_just_heard_of_a_near_end_is_not_reminded_of_it(
    cast: Cast, deployment: Deployment
) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    deprecate(deployment.version.model, days=5)

    follow_calendar()

    assert not Announcement.objects.filter(kind="reminder").exists()


def test_the_end_of_an_alias_is_told_to_those_who_asked_by_it(
    cast: Cast, deployment: Deployment
) -> None:
    alias = add_alias(by=OPERATOR, model=deployment.version.model, name="mistral-small")
    used_key(deployment, cast.rennes_user, "by the model's name")
    by_alias = make_user("by_alias", Role.USER, cast.rennes)
    key = used_key(deployment, by_alias, "by the alias")
    _asked_by(key, "Mistral-Small")

    end_alias(by=OPERATOR, alias=alias, sunset=in_days(60))

    assert told() == ["by_alias@example.org"]


def test_a_name_that_is_taken_away_is_told_with_what_to_ask_for_instead(
    cast: Cast, deployment: Deployment
) -> None:
    model = deployment.version.model
    alias = add_alias(by=OPERATOR, model=model, name="mistral-small")
    _asked_by(used_key(deployment, cast.rennes_user, "by the alias"), "mistral-small")

    remove_alias(by=OPERATOR, alias=alias)

    assert told() == ["rennes_user@example.org"]
    letter = mail.outbox[0]
    assert "mistral-small" in letter.subject
    assert f"«\N{NO-BREAK SPACE}{model.slug}\N{NO-BREAK SPACE}»" in str(letter.body)


def test_who_asked_for_a_model_is_told_of_its_end_whichever_answered(
    cast: Cast, deployment: Deployment, successor: AIModel
) -> None:
    key = used_key(deployment, cast.rennes_user, "moodle")
    UsageRecord.objects.filter(key_id=key.pk).update(
        model_id=successor.pk, asked_model_id=deployment.version.model.pk
    )

    assert audience_of(deployment.version.model).used == 1
    assert audience_of(successor).used == 0


def _asked_by(key: ApiKey, name: str) -> None:
    UsageRecord.objects.filter(key_id=key.pk).update(model_asked=name)


def test_who_was_told_and_when_is_written_down_once_it_has_left(
    cast: Cast, deployment: Deployment
) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    deprecate(deployment.version.model)
    assert Notice.objects.get().sent_at is None

    told()

    assert Notice.objects.get().sent_at is not None


def test_what_was_overtaken_is_not_written_down_as_told(cast: Cast, deployment: Deployment) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    model = deprecate(deployment.version.model)
    change_deprecation(by=OPERATOR, model=model, retires_on=in_days(120))

    told()

    sent = Notice.objects.filter(sent_at__isnull=False)
    assert [notice.announcement.kind for notice in sent] == ["moved"]


def test_what_is_not_sent_before_the_day_is_not_sent(cast: Cast, deployment: Deployment) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    deprecate(deployment.version.model, days=5)

    last = timezone.localtime(Mail.objects.get().until)

    assert (last.date(), last.hour, last.minute) == (in_days(5), 0, 0)


def test_the_end_of_an_alias_that_stays_after_all_is_not_told(
    cast: Cast, deployment: Deployment
) -> None:
    alias = add_alias(by=OPERATOR, model=deployment.version.model, name="mistral-small")
    _asked_by(used_key(deployment, cast.rennes_user, "by the alias"), "mistral-small")
    alias = end_alias(by=OPERATOR, alias=alias, sunset=in_days(60))

    end_alias(by=OPERATOR, alias=alias, sunset=None)

    assert told() == []


def test_what_is_not_sent_before_a_model_is_retired_is_not_sent(
    cast: Cast, deployment: Deployment
) -> None:
    used_key(deployment, cast.rennes_user, "moodle")
    retire_model(by=OPERATOR, model=bring_the_day(deprecate(deployment.version.model)))

    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_deprecate_at_once_make_one_announcement() -> None:
    cast = make_cast()
    deployment = serve_model(cast.rennes)
    used_key(deployment, cast.rennes_user, "moodle")
    model, refused = deployment.version.model, []

    def act(days: int) -> None:
        try:
            deprecate(model, days=days)
        except Exception as refusal:  # noqa: BLE001  # looked at below
            refused.append(refusal)

    at_once([lambda: act(60), lambda: act(90)])

    assert len(refused) == 1
    assert Announcement.objects.count() == Notice.objects.count() == 1


def test_a_model_is_retired_on_its_day_once(cast: Cast, deployment: Deployment) -> None:
    model = bring_the_day(deprecate(deployment.version.model))
    early = deprecate(make_model("other-7b"), days=1)

    follow_calendar()
    follow_calendar()

    model.refresh_from_db()
    early.refresh_from_db()
    assert (model.stage, early.stage) == ("retired", "deprecated")
    assert model.stage_changes.filter(after="retired").count() == 1
