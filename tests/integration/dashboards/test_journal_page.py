"""The journal for people: whose acts one reads, in which words, narrowed how; its file; and whether it is whole."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from dashboards.journal.changes import changes
from dashboards.views import journal as views
from federation.access.operations import revoke_key
from federation.catalogue.operations.facts import describe_model
from federation.fleet.models import Deployment
from federation.fleet.operations.labels import set_site_labels
from federation.journal.models import AuditEvent
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import close_account, grant_role
from tests.support.factories import Cast, make_application, make_key, make_model
from tests.support.pages import signed_in_as


def read(user: User, query: str = "", language: str = "fr") -> str:
    page = signed_in_as(user).get(f"/journal/{query}", headers={"accept-language": language})
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def numbers(user: User, query: str = "") -> list[int]:
    """Return the numbers of the events on a page, as they stand."""
    page = signed_in_as(user).get(f"/journal/{query}")
    assert page.status_code == 200
    return [entry.event.seq for entry in page.context["entries"]]


def test_everybody_reads_exactly_what_the_register_lets_them(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    revoke_key(by=cast.rennes_user, key=key, reason="perdue")
    for person in cast.people().values():
        allowed = AuditEvent.objects.for_user(person).order_by("-seq")
        seen, query = [], ""
        while found := numbers(person, query):
            seen += found
            query = f"?before={found[-1]}"
        assert seen == list(allowed.values_list("seq", flat=True)), person.name


def test_a_visitor_signs_in_first(cast: Cast) -> None:
    for address in ("/journal/", "/journal/csv/"):
        assert Client().get(address).status_code == 302
    assert Client().post("/journal/chain/").status_code == 302


def test_an_act_reads_as_a_sentence_in_both_languages(cast: Cast) -> None:
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user), name="carnet")
    revoke_key(by=cast.rennes_user, key=key, reason="perdue")

    assert "rennes_user a révoqué une clé" in read(cast.rennes_user)
    assert "rennes_user revoked a key" in read(cast.rennes_user, language="en")
    assert f'href="/keys/{key.pk}/">carnet' in read(cast.rennes_user)
    assert "La commande « tests » a émis une clé" in read(cast.rennes_dsi)


def test_names_are_shown_only_of_accounts_and_objects_that_the_reader_may_see(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, name="carnet secret")
    key, _text = make_key(application, name="clé secrète")
    revoke_key(by=cast.admin, key=key, reason="perdue")

    for_the_dsi = read(cast.rennes_dsi)
    assert "admin a révoqué" not in for_the_dsi
    assert "Une personne dont le compte ne vous est pas visible a révoqué une clé" in for_the_dsi
    assert "clé secrète" in for_the_dsi
    assert str(cast.admin.pseudonym) not in for_the_dsi
    assert "admin a révoqué une clé" in read(cast.auditor)
    for other in (cast.reims_dsi, cast.orleans_user, cast.intruder):
        assert "secrète" not in read(other)
        assert "carnet" not in read(other)


def test_a_closed_account_that_is_gone_from_sight_leaves_its_acts(cast: Cast) -> None:
    make_key(make_application(cast.rennes, cast.rennes_user))
    grant_role(
        by=cast.rennes_dsi,
        user=cast.rennes_user,
        role=Role.PROJECT_OWNER,
        institution_id=cast.rennes.pk,
    )
    close_account(by=cast.admin, user=cast.rennes_dsi)

    assert "rennes_dsi a attribué un rôle à une personne" in read(cast.admin)


def test_a_change_tells_what_was_and_what_became(cast: Cast, at_rennes: Deployment) -> None:
    model = at_rennes.version.model
    describe_model(
        by=cast.admin,
        model=model,
        facts={"capabilities": ["chat", "tools"], "description_fr": "Un modèle."},
    )
    set_site_labels(by=cast.admin, site=at_rennes.server.site, labels=["HDS"])

    page = read(cast.admin)

    assert "conversation, appels d’outils" in page
    assert "10 caractères" in page
    assert "HDS" in page
    assert "devient" in page


def event(object_type: str, **diff: Any) -> AuditEvent:
    return AuditEvent(object_type=object_type, object_id=str(uuid4()), diff=diff)


@pytest.mark.parametrize(
    ("object_type", "diff", "told"),
    [
        ("fleet.inferenceserver", {"state": ["staging", "live"]}, ("préproduction", "en service")),
        ("access.apikey", {"models": ["a", "b"]}, (None, "a, b")),
        ("fleet.site", {"labels": [["HDS"], ["HDS", "ISO-27001"]]}, ("HDS", "HDS, ISO-27001")),
        ("fleet.site", {"labels": [[], ["HDS"]]}, ("–", "HDS")),
        ("access.limit", {"most": [None, 60]}, ("–", "60")),
        ("people.user", {"role": "auditor"}, (None, str(Role.AUDITOR.label))),
        ("members.team", {"is_lead": True}, (None, "oui")),
        (
            "fleet.guestrules",
            {"hours": [{"days": "all", "start": 8, "end": 20, "most": 6}]},
            (None, "jours tous les jours, de 8, à 20, au plus 6"),
        ),
        ("fleet.siteegressgrant", {"ports": [8000, 27711]}, (None, "8000, 27711")),
        ("access.apikey", {"priority": [3, 2]}, ("P3", "P2")),
        ("access.apikey", {"origins": 0}, (None, "–")),
        (
            "people.user",
            {"kinds": ["totp", "recovery_codes"]},
            (None, "application d’authentification, codes de secours"),
        ),
        ("members.ballot", {"subject": "0193d5b2-0000-7000-8000-000000000001"}, (None, "00000001")),
        ("unknown.table", {"odd": "2026-13-45T99:99"}, (None, "2026-13-45T99:99")),
        (
            "access.apikey",
            {"expires_at": [None, "2026-11-28T12:00:00Z"]},
            ("–", "28\u00a0nov.\u00a02026, 13:00"),
        ),
        (
            "fleet.siteegressgrant",
            {"until": "2027-03-01"},
            (None, "1er\u00a0mars\u00a02027"),
        ),
        ("fleet.guestrules", {"lowest_class": 1}, (None, "P1")),
    ],
)
def test_each_kind_of_value_reads_as_words(
    object_type: str, diff: dict[str, Any], told: tuple[str | None, str]
) -> None:
    [change] = changes(event(object_type, **diff), {})

    assert (change.before, change.after) == told


@pytest.mark.parametrize(
    ("object_type", "names", "french", "english"),
    [
        (
            *("members.candidacy", ["is_consumer", "contacts", "uai"]),
            *("bénéficiaire, contacts, UAI", "consumer, contacts, UAI"),
        ),
        (
            *("fleet.technicalform", ["served_name", "max_parallel"]),
            *("nom sur le serveur, requêtes simultanées au plus",),
            *("name on the server, most requests at once",),
        ),
    ],
)
def test_the_fields_that_were_changed_are_named_in_the_reader_s_language(
    object_type: str, names: list[str], french: str, english: str
) -> None:
    for field in ("fields", "changed"):
        for language, told in (("fr", french), ("en", english)):
            with override(language):
                [change] = changes(event(object_type, **{field: names}), {})
                assert change.after == told


def test_a_value_that_is_none_is_not_told(cast: Cast) -> None:
    assert changes(event("access.apikey", models=[], labels=[], expires_at=None), {}) == []


@pytest.fixture
def acts(cast: Cast) -> UUID:
    """A key of the user's, revoked by the IT department; returns the key."""
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    revoke_key(by=cast.rennes_dsi, key=key, reason="perdue")
    make_model("a-model")
    return key.pk


def test_filters_keep_what_they_say(cast: Cast, acts: UUID) -> None:
    every = AuditEvent.objects.order_by("-seq")

    def asked(query: str) -> set[int]:
        seen: set[int] = set()
        while found := numbers(cast.admin, f"{query}&before={min(seen)}" if seen else query):
            seen.update(found)
        return seen

    def told(**narrow: Any) -> set[int]:
        return set(every.filter(**narrow).values_list("seq", flat=True))

    assert asked("?group=catalogue") == told(verb__startswith="catalogue.")
    assert asked(f"?institution={cast.rennes.pk}") == told(institution_id=cast.rennes.pk)
    assert asked(f"?object={acts}") == told(object_id=str(acts))
    assert asked("?whose=mine") == told(actor_pseudonym=cast.admin.pseudonym)
    today = timezone.localdate()
    assert asked(f"?first={today}&last={today}") == told()
    assert asked(f"?last={today - timedelta(days=1)}") == set()
    both = told(verb__startswith="access.", institution_id=cast.rennes.pk)
    assert both
    assert asked(f"?group=access&institution={cast.rennes.pk}") == both


def test_an_it_department_cannot_ask_for_another_institution(cast: Cast, acts: UUID) -> None:
    page = read(cast.reims_dsi, f"?institution={cast.rennes.pk}")

    assert 'role="alert"' in page
    assert numbers(cast.reims_dsi, f"?object={acts}") == []
    assert 'name="institution"' not in read(cast.orleans_user), "who oversees none"


@pytest.mark.parametrize(
    "query",
    [
        "?group=weather",
        "?institution=nonsense",
        "?first=yesterday",
        "?first=0001-01-01",
        "?last=9999-12-31",
        "?first=2026-11-29&last=2026-11-01",
        "?before=-1",
        "?before=99999999999999999999",
        "?before=x",
        "?object=%00",
        "?object=" + "a" * 65,
        "?whose=theirs",
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(cast: Cast, acts: UUID, query: str) -> None:
    assert numbers(cast.admin, query)
    if "before" not in query:
        assert 'role="alert"' in read(cast.admin, query)


def test_pages_follow_each_other_though_acts_come_meanwhile(
    cast: Cast, acts: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE", 5)
    first = numbers(cast.admin)
    make_model("meanwhile")
    second = numbers(cast.admin, f"?before={first[-1]}")

    assert len(first) == len(second) == 5
    assert first + second == list(range(first[0], first[0] - 10, -1))
    assert f"before={first[-1]}" not in read(cast.admin), "the newest page has moved on"
    oldest = read(cast.admin, "?before=3")
    assert 'rel="next"' not in oldest
    assert "Les plus récents" in oldest


def test_the_queries_do_not_grow_with_the_acts(cast: Cast, acts: UUID) -> None:
    browser = signed_in_as(cast.admin)
    query = "/journal/?group=catalogue"
    with CaptureQueriesContext(connection) as few:
        browser.get(query)
    for number in range(10):
        make_model(f"model-{number}")

    with CaptureQueriesContext(connection) as many:
        browser.get(query)

    assert len(many) == len(few)


def rows(user: User, query: str = "", language: str = "en") -> list[dict[str, str]]:
    answer = signed_in_as(user).get(f"/journal/csv/{query}", headers={"accept-language": language})
    assert answer.headers["Cache-Control"] == "no-store"
    text = async_to_sync(whole)(answer).removeprefix("\ufeff")
    return list(csv.DictReader(StringIO(text), delimiter=";" if language == "fr" else ","))


async def whole(answer: Any) -> str:
    return b"".join([piece async for piece in answer.streaming_content]).decode()


def test_the_file_holds_what_the_page_shows_in_the_reader_s_language(
    cast: Cast, acts: UUID
) -> None:
    told = rows(cast.rennes_dsi, f"?object={acts}", "fr")

    assert [row["verb"] for row in told] == ["access.revoke_key", "access.issue_key"]
    assert told[0]["sentence"] == "rennes_dsi a révoqué une clé"
    assert told[0]["object"].startswith("essai")
    assert told[0]["change"] == '{"revoked": true}'
    assert told[0]["hash"] == AuditEvent.objects.get(verb="access.revoke_key").hash
    assert rows(cast.reims_dsi, f"?object={acts}") == []


def test_the_file_is_bounded_and_comes_in_pieces(
    cast: Cast, acts: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_ROWS", 7)
    monkeypatch.setattr("dashboards.journal.entries.CHUNK", 3)
    newest = list(AuditEvent.objects.order_by("-seq").values_list("seq", flat=True)[:7])

    assert [int(row["seq"]) for row in rows(cast.admin)] == newest


def verified(user: User, mark: str = "") -> Any:
    return signed_in_as(user).post(
        "/journal/chain/", {"mark": mark}, headers={"hx-request": "true", "accept-language": "fr"}
    )


def test_the_federation_verifies_the_chain_step_by_step(
    cast: Cast, acts: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "STEP", 20)
    count, mark, steps = AuditEvent.objects.count(), "", 0
    while steps == 0 or mark:
        answer = verified(cast.auditor, mark)
        mark, steps = answer.context["mark"], steps + 1

    assert steps == count // 20 + 1
    assert answer.context["count"] == count
    assert answer.context["head"] == AuditEvent.objects.latest("seq").hash
    assert "La chaîne est intacte jusqu’au n°" in answer.content.decode()


def tamper(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE journal_auditevent DISABLE TRIGGER the_journal_only_grows")
        cursor.execute("UPDATE journal_auditevent SET verb = 'x' WHERE seq = %s", [number])
        cursor.execute("ALTER TABLE journal_auditevent ENABLE TRIGGER the_journal_only_grows")


def test_an_edited_entry_is_named(cast: Cast, acts: UUID) -> None:
    tamper(7)

    answer = verified(cast.admin)

    assert answer.context["fault"] == 7
    assert "rompue au n°" in answer.content.decode()


@pytest.mark.parametrize("mark", ["nonsense", "W10:1:1", "[5, 'a']", "a" * 3000, "\0"])
def test_a_mark_that_is_not_ours_begins_at_the_first_entry(
    cast: Cast, acts: UUID, mark: str
) -> None:
    tamper(1)

    assert verified(cast.admin, mark).context["fault"] == 1


def test_only_the_federation_verifies(cast: Cast) -> None:
    for name, person in cast.people().items():
        expected = 200 if name in ("admin", "auditor") else 403
        assert verified(person).status_code == expected, name
        assert ("/journal/chain/" in read(person)) == (expected == 200), name


def test_without_scripts_the_check_is_a_page_of_its_own(cast: Cast) -> None:
    page = signed_in_as(cast.auditor).post("/journal/chain/")

    assert "<html" in page.content.decode()


def test_the_journal_is_in_everybody_s_menu(cast: Cast) -> None:
    for person in cast.people().values():
        assert 'href="/journal/"' in signed_in_as(person).get("/").content.decode()


def test_a_reader_without_acts_is_told_what_will_stand_here(cast: Cast) -> None:
    newcomer = User.objects.create(email="new@example.org", name="new")

    assert 'class="empty"' in read(newcomer)
