"""A key is made on one page, shown once in its answer, and nowhere else."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from federation.access.keys import KEY_PATTERN, is_well_formed
from federation.access.models import ApiKey, Application
from federation.access.policies import LONGEST_LIFE
from federation.days import long_day
from federation.fleet.models import Deployment
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import grant_role
from routing.core.enums import LifecycleStage, PriorityClass, RoutingMode
from tests.support.factories import OPERATOR, Cast, make_application, make_key, make_model
from tests.support.lifecycle import deprecate
from tests.support.pages import signed_in_as

PAGE = "/keys/new/"


def form(**changes: Any) -> dict[str, Any]:
    """What a person types for a first key."""
    typed = {"new_application": "essai", "name": "portable", "priority": "3", "routing_mode": "any"}
    return {name: value for name, value in {**typed, **changes}.items() if value is not None}


def send(user: User, **changes: Any) -> Any:
    return signed_in_as(user).post(PAGE, form(**changes))


def key_in(response: Any) -> str:
    found = KEY_PATTERN.search(response.content.decode())
    assert found, response.content.decode()
    return found[0]


def test_the_answer_shows_the_whole_key_with_a_call_ready_to_paste(
    cast: Cast, deployment: Deployment
) -> None:
    page = send(cast.rennes_user)

    text, made = key_in(page), ApiKey.objects.get()
    assert is_well_formed(text)
    assert (made.prefix, made.last4) == (text[: len(made.prefix)], text[-4:])
    content = page.content.decode()
    assert content.count(f"Bearer {text}") == 1
    assert "http://127.0.0.1:8000/v1/chat/completions" in content
    assert deployment.version.model.slug in content


def test_a_key_is_kept_nowhere_but_in_the_answer(
    cast: Cast, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    browser = signed_in_as(cast.rennes_user)

    page = browser.post(PAGE, form())

    text = key_in(page)
    secret = text.rsplit("_", 1)[1]
    assert page.headers["Cache-Control"].count("no-store") == 1
    assert secret not in caplog.text
    assert secret not in str(dict(browser.session.items()))
    assert secret not in str(browser.cookies)
    assert not list(tables_that_hold(secret))
    assert list(tables_that_hold(text[:19])) == ["access_apikey", "journal_auditevent"]
    assert secret not in browser.get("/keys/").content.decode()
    assert secret not in browser.get(PAGE).content.decode()


def tables_that_hold(text: str) -> list[str]:
    found = []
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            statement = f'SELECT 1 FROM "{table}" t WHERE strpos(t::text, %s) > 0 LIMIT 1'
            cursor.execute(statement, [text])
            found += [table] if cursor.fetchone() else []
    return found


def test_a_form_sent_twice_makes_one_key(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    again = {"new_application": "", "application": str(application.pk)}

    send(cast.rennes_user, **again)
    second = send(cast.rennes_user, **again)

    assert ApiKey.objects.count() == 1
    assert not KEY_PATTERN.search(second.content.decode())
    assert "essai" not in second.content.decode()
    assert "alert-danger" in second.content.decode()


def test_a_form_for_a_new_application_sent_twice_makes_one_key(cast: Cast) -> None:
    send(cast.rennes_user)
    second = send(cast.rennes_user)

    assert (Application.objects.count(), ApiKey.objects.count()) == (1, 1)
    assert "alert-danger" in second.content.decode()


def test_a_name_is_free_again_once_its_key_is_over(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    old, _text = make_key(application, name="portable")
    ApiKey.objects.filter(pk=old.pk).update(revoked_at=timezone.now(), revoked_reason="leaked")

    page = send(cast.rennes_user, new_application="", application=str(application.pk))

    assert key_in(page)


def test_everything_that_was_chosen_is_in_the_key(cast: Cast, deployment: Deployment) -> None:
    model = deployment.version.model
    last_day = timezone.localdate() + timedelta(days=30)

    send(
        cast.rennes_dsi,
        priority="5",
        routing_mode="private-first",
        models=[str(model.pk)],
        expires_on=last_day.isoformat(),
        origins="https://Chat.example.fr/\nhttp://localhost:3000\nhttps://chat.example.fr",
    )

    made = ApiKey.objects.get()
    assert (made.priority, made.routing_mode) == (PriorityClass.P5, RoutingMode.PRIVATE_FIRST)
    assert list(made.models.all()) == [model]
    assert made.origins == ["https://chat.example.fr", "http://localhost:3000"]
    assert made.expires_at is not None
    assert timezone.localtime(made.expires_at).date() == last_day
    assert made.application.owner == cast.rennes_dsi


def test_a_key_may_not_pass_the_highest_class_of_its_maker(cast: Cast) -> None:
    page = send(cast.rennes_user, priority="4")

    assert not ApiKey.objects.exists()
    assert "alert-danger" in page.content.decode()


def test_the_highest_class_is_that_at_the_application_s_own_institution(cast: Cast) -> None:
    grant_role(by=OPERATOR, user=cast.rennes_dsi, role=Role.USER, institution_id=cast.reims.pk)

    refused = send(cast.rennes_dsi, priority="5", institution=str(cast.reims.pk))
    accepted = send(cast.rennes_dsi, priority="5", institution=str(cast.rennes.pk))

    assert "alert-danger" in refused.content.decode()
    assert key_in(accepted)
    assert ApiKey.objects.get().application.institution == cast.rennes


@pytest.mark.parametrize("who", ["intruder", "auditor"])
def test_who_has_no_role_at_a_member_is_told_so_and_makes_no_key(cast: Cast, who: str) -> None:
    person = cast.people()[who]

    page = signed_in_as(person).get(PAGE)
    answer = send(person)

    assert page.status_code == 200
    assert 'name="priority"' not in page.content.decode()
    assert answer.status_code == 403
    assert not ApiKey.objects.exists()


def test_another_s_application_is_no_choice(cast: Cast) -> None:
    foreign = make_application(cast.reims, cast.reims_dsi)
    colleague_s = make_application(cast.rennes, cast.rennes_dsi)

    for application in (foreign, colleague_s):
        page = send(cast.rennes_user, new_application="", application=str(application.pk))
        assert "alert-danger" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_only_models_that_are_served_can_be_chosen(cast: Cast, deployment: Deployment) -> None:
    proposed = make_model("proposed-1b", stage=LifecycleStage.PROPOSED)

    page = send(cast.rennes_dsi, models=[str(proposed.pk)])

    assert "alert-danger" in page.content.decode()
    assert not ApiKey.objects.exists()


BAD = {
    "no application": {"new_application": ""},
    "an unknown application": {
        "new_application": "",
        "application": "0199aaaa-0000-7000-8000-000000000000",
    },
    "an application that is no id": {"new_application": "", "application": "' OR 1=1"},
    "an application's name with a line break": {"new_application": "a\nb"},
    "an application's name too long": {"new_application": "a" * 101},
    "no name": {"name": ""},
    "a name of spaces": {"name": "   "},
    "a name too long": {"name": "a" * 101},
    "a name with a NUL": {"name": "a\0b"},
    "a name with a control character": {"name": "a\x1b[31mb"},
    "no class": {"priority": ""},
    "class 0": {"priority": "0"},
    "class 6": {"priority": "6"},
    "a class that is no number": {"priority": "P5"},
    "no mode": {"routing_mode": ""},
    "an unknown mode": {"routing_mode": "foreign-only"},
    "a model that is no id": {"models": ["mistral"]},
    "an unknown model": {"models": ["0199aaaa-0000-7000-8000-000000000000"]},
    "a day that is none": {"expires_on": "2026-02-30"},
    "a day in the past": {"expires_on": "2020-01-01"},
    "a day beyond reason": {"expires_on": "9999-12-31"},
    "an origin without scheme": {"origins": "chat.example.fr"},
    "an origin with a path": {"origins": "https://chat.example.fr/app"},
    "any origin": {"origins": "*"},
    "an origin with a secret": {"origins": "https://me:secret@chat.example.fr"},
    "too many origins": {"origins": "\n".join(f"https://chat{n}.example.fr" for n in range(21))},
    "origins too long": {"origins": "https://" + "a" * 2000},
    "an unknown institution": {"institution": "0199aaaa-0000-7000-8000-000000000000"},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_and_makes_nothing(cast: Cast, changes: dict[str, Any]) -> None:
    page = send(cast.admin, **{"institution": str(cast.rennes.pk), **changes})

    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()
    assert not ApiKey.objects.exists()
    assert not Application.objects.exists()


def test_the_earliest_and_the_latest_day_are_told_as_the_reader_writes_days(cast: Cast) -> None:
    today = timezone.localdate()

    past = send(cast.rennes_user, expires_on="2020-01-01").content.decode()
    far = send(cast.rennes_user, expires_on="9999-12-31").content.decode()

    with override("fr"):
        assert f"Au plus tôt aujourd’hui, le {long_day(today)}." in past
        assert f"Au plus tard le {long_day(today + LONGEST_LIFE)}." in far


def test_both_missing_names_are_told_at_once(cast: Cast) -> None:
    page = send(cast.rennes_user, new_application="", name="").content.decode()

    assert 'id="id_new_application_error"' in page
    assert 'id="id_name_error"' in page


def test_without_a_model_in_service_the_page_says_so(cast: Cast) -> None:
    page = send(cast.rennes_user)

    assert key_in(page)
    assert "chat/completions" not in page.content.decode()


def test_a_key_for_own_servers_only_is_not_shown_a_model_served_elsewhere(
    cast: Cast, deployment: Deployment
) -> None:
    page = send(cast.orleans_user, routing_mode="private-only")

    assert deployment.version.model.slug not in re.sub(r"<form.*</form>", "", page.content.decode())


def test_a_model_that_goes_says_until_when(cast: Cast, deployment: Deployment) -> None:
    leaving = deprecate(deployment.version.model, days=90)
    assert leaving.retires_on is not None

    html = signed_in_as(cast.rennes_user).get(PAGE, headers={"accept-language": "en"})

    with override("en"):
        day = long_day(leaving.retires_on)
    assert f"{leaving} (deprecated, refused from {day} on)" in html.content.decode()
