"""Signing in by SAML: who comes in, where they belong, and every answer that is not what it seems."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone
from lxml import etree

from federation.identity.claims import MAIL, SCOPED_AFFILIATION
from federation.identity.models import MetadataSource, SignInService
from federation.identity.operations import link_service, open_to_students
from federation.journal.models import AuditEvent
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import revoke_role
from tests.integration.identity.conftest import RENNES, Browser, Federation
from tests.support.factories import OPERATOR, Cast
from tests.support.saml import (
    EPPN,
    PERSISTENT,
    Idp,
    Signer,
    packed,
)

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
UAI = "urn:oid:1.3.6.1.4.1.7135.1.2.1.14"


def test_who_works_there_comes_in_and_has_a_role(
    cast: Cast, federation: Federation, browser: Browser
) -> None:
    assert browser.sign_in(federation.rennes, "anne") == 302

    user = User.objects.get(email=f"anne@{RENNES}")
    assert browser.user_id == str(user.pk)
    assert (user.name, user.has_usable_password()) == ("Anne", False)
    assert user.has_role(Role.USER, cast.rennes.pk)
    assert EmailAddress.objects.get(user=user).verified
    assert browser.client.get("/keys/new/")["location"] == "/charter/?next=/keys/new/"
    verbs = set(
        AuditEvent.objects.filter(actor_pseudonym=user.pseudonym).values_list("verb", flat=True)
    )
    assert {"people.sign_up", "people.grant_role"} <= verbs


def test_it_is_the_same_account_the_next_time(
    federation: Federation, new_browser: Callable[[], Browser]
) -> None:
    for _ in range(2):
        assert new_browser().sign_in(federation.rennes, "anne") == 302

    assert User.objects.filter(email=f"anne@{RENNES}").count() == 1
    assert SocialAccount.objects.count() == 1


def test_an_account_that_is_there_is_opened_by_its_address(
    cast: Cast, federation: Federation, browser: Browser
) -> None:
    """Of the provider's own domain; the roles of the account stay."""
    cast.rennes_dsi.email = f"dsi@{RENNES}"
    cast.rennes_dsi.save()
    EmailAddress.objects.update_or_create(
        user=cast.rennes_dsi, defaults={"email": f"dsi@{RENNES}", "verified": True, "primary": True}
    )

    assert browser.sign_in(federation.rennes, "dsi") == 302

    assert SocialAccount.objects.get().user == cast.rennes_dsi
    assert (
        browser.client.get("/people/").status_code == 302
    )  # a role that decides for others wants a second factor


def test_an_address_of_another_domain_opens_nothing(
    cast: Cast, federation: Federation, browser: Browser
) -> None:
    asked = browser.go(federation.rennes)
    told = {**federation.rennes.attributes("mallory"), MAIL: [cast.admin.email]}

    browser.come_back(packed(federation.rennes.response(asked, told)))

    assert browser.user_id is None
    assert not SocialAccount.objects.filter(user=cast.admin).exists()


def test_students_come_in_without_a_role_until_their_institution_wants_it(
    cast: Cast, federation: Federation, new_browser: Callable[[], Browser]
) -> None:
    new_browser().sign_in(federation.rennes, "emma", affiliation="student")
    emma = User.objects.get(email=f"emma@{RENNES}")
    assert not emma.institution_ids()

    service = SignInService.objects.get(service_id=federation.rennes.entity_id)
    open_to_students(by=cast.rennes_dsi, service=service, is_open=True)
    new_browser().sign_in(federation.rennes, "emma", affiliation="student")

    assert User.objects.get(pk=emma.pk).has_role(Role.USER, cast.rennes.pk)


def test_a_service_of_nobody_gives_no_role(federation: Federation, browser: Browser) -> None:
    assert browser.sign_in(federation.reims, "luc") == 302

    assert not User.objects.get(email="luc@univ-reims.fr").institution_ids()


def test_whoever_has_another_role_there_is_given_no_other(
    cast: Cast, federation: Federation, new_browser: Callable[[], Browser]
) -> None:
    new_browser().sign_in(federation.rennes, "anne")
    anne = User.objects.get(email=f"anne@{RENNES}")
    grant = anne.role_grants.get()
    grant.role = Role.PROJECT_OWNER
    grant.save()

    new_browser().sign_in(federation.rennes, "anne")

    assert [each.role for each in anne.role_grants.all()] == [Role.PROJECT_OWNER]


@pytest.mark.parametrize("signs", ["assertion", "response"])
def test_either_signature_will_do(federation: Federation, browser: Browser, signs: str) -> None:
    asked = browser.go(federation.rennes)
    root = federation.rennes.response(asked, federation.rennes.attributes("anne"), signs=signs)

    assert browser.come_back(packed(root)) == 302
    assert browser.user_id


def test_a_provider_may_change_its_key(federation: Federation, browser: Browser) -> None:
    """For a while its metadata has both."""
    new = Signer.new("new")
    federation.rennes.extra_certificates = (new.base64,)
    federation.publish()
    federation.read()
    federation.rennes.signer = new

    assert browser.sign_in(federation.rennes, "anne") == 302
    assert browser.user_id


# What is refused.


def refused(browser: Browser, status: int, *statuses: int) -> None:
    assert browser.last.status_code in (status, *statuses)
    assert browser.user_id is None
    assert not SocialAccount.objects.exists()


def test_an_unsigned_answer_is_refused(federation: Federation, browser: Browser) -> None:
    asked = browser.go(federation.rennes)
    root = federation.rennes.response(asked, federation.rennes.attributes("anne"), signs="")

    browser.come_back(packed(root))

    refused(browser, 401)


def test_a_weak_signature_is_refused(federation: Federation, browser: Browser) -> None:
    asked = browser.go(federation.rennes)
    told = federation.rennes.attributes("anne")

    browser.come_back(packed(federation.rennes.response(asked, told, weak=True)))

    refused(browser, 401)


@pytest.mark.parametrize("what", ["attribute", "audience", "name", "second assertion"])
def test_an_altered_answer_is_refused(federation: Federation, browser: Browser, what: str) -> None:
    asked = browser.go(federation.rennes)
    root = federation.rennes.response(asked, federation.rennes.attributes("anne"))
    assertion = root.find(f"{SAML}Assertion")
    assert assertion is not None
    match what:
        case "attribute":
            next(root.iter(f"{SAML}AttributeValue")).text = f"president@{RENNES}"
        case "audience":
            next(root.iter(f"{SAML}Audience")).text = "https://elsewhere.example.org"
        case "name":
            next(root.iter(f"{SAML}NameID")).text = "somebody"
        case _:
            copy = etree.fromstring(etree.tostring(assertion))
            copy.remove(copy[1])
            next(copy.iter(f"{SAML}AttributeValue")).text = f"president@{RENNES}"
            copy.set("ID", "_evil")
            root.insert(2, copy)

    browser.come_back(packed(root))

    refused(browser, 401)


def test_a_replayed_answer_is_refused(
    federation: Federation, browser: Browser, new_browser: Callable[[], Browser]
) -> None:
    asked = browser.go(federation.rennes)
    text = packed(federation.rennes.response(asked, federation.rennes.attributes("anne")))
    assert browser.come_back(text) == 302
    browser.client.post("/account/logout/")

    assert browser.come_back(text) == 403
    thief = new_browser()
    assert thief.come_back(text) == 403
    assert browser.user_id is None
    assert thief.user_id is None


def test_an_answer_to_no_question_is_refused(federation: Federation, browser: Browser) -> None:
    asked = browser.go(federation.rennes)
    told = federation.rennes.attributes("anne")

    browser.come_back(packed(federation.rennes.response(asked, told, in_response_to="")))

    refused(browser, 401)


def test_an_answer_of_another_provider_is_refused(federation: Federation, browser: Browser) -> None:
    """Another member of the federation answers what it was not asked, or in another's name."""
    asked = browser.go(federation.rennes)
    told = federation.reims.attributes("luc")
    browser.come_back(packed(federation.reims.response(asked, told)))
    refused(browser, 403, 401)

    asked = browser.go(federation.rennes)
    told = federation.rennes.attributes("anne")
    swapped = federation.reims.response(asked, told, issuer=federation.rennes.entity_id)
    browser.come_back(packed(swapped))
    refused(browser, 401)


def test_an_unknown_provider_is_none(federation: Federation, browser: Browser) -> None:
    evil = Idp("evil.example.org", "Evil")
    assert (
        browser.client.get("/account/saml/fer/login/", {"idp": evil.entity_id}).status_code == 404
    )
    asked = browser.go(federation.rennes)

    assert browser.come_back(packed(evil.response(asked, evil.attributes("x")))) == 404
    refused(browser, 404)


def test_an_answer_that_is_too_late_is_refused(federation: Federation, browser: Browser) -> None:
    asked = browser.go(federation.rennes)
    told = federation.rennes.attributes("anne")

    browser.come_back(packed(federation.rennes.response(asked, told, minutes=-10)))

    refused(browser, 401)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({EPPN: ["president@univ-reims.fr"]}, "domaine"),
        ({SCOPED_AFFILIATION: ["employee@univ-reims.fr"]}, "domaine"),
        ({EPPN: []}, "identifiant"),
        ({UAI: ["{UAI}0512345B"]}, "établissement"),
        ({MAIL: []}, "adresse"),
    ],
)
def test_what_is_not_its_own_to_say_is_refused_with_the_reason(
    cast: Cast,
    federation: Federation,
    browser: Browser,
    attributes: dict[str, list[str]],
    words: str,
) -> None:
    cast.reims.uai = "0512345B"
    cast.reims.save()
    asked = browser.go(federation.rennes)
    told = {**federation.rennes.attributes("anne"), **attributes}

    browser.come_back(packed(federation.rennes.response(asked, told)))

    refused(browser, 403)
    assert words in browser.last.content.decode()
    assert "/sign-in/" in browser.last.content.decode()


def test_a_lasting_name_will_do_where_no_other_is_told(
    federation: Federation, browser: Browser
) -> None:
    asked = browser.go(federation.rennes)
    told = {name: v for name, v in federation.rennes.attributes("anne").items() if name != EPPN}

    answer = federation.rennes.response(asked, told, name_id_format=PERSISTENT)

    assert browser.come_back(packed(answer)) == 302
    assert browser.user_id


@pytest.mark.parametrize(
    "text",
    ["", "x", "PHg+", "A" * 400_000, "PD94bWwgdmVyc2lvbj0iMS4wIj8+"],
    ids=["nothing", "no base 64", "no end", "too long", "no root"],
)
def test_what_is_no_answer_is_refused(federation: Federation, browser: Browser, text: str) -> None:
    browser.go(federation.rennes)

    assert browser.come_back(text) in (401, 404)
    refused(browser, 401, 404)


def test_our_metadata_says_where_answers_come(federation: Federation, client: Client) -> None:
    answer = client.get("/account/saml/fer/metadata/")

    root = etree.fromstring(answer.content)
    assert root.get("entityID", "").endswith("/account/saml/fer/metadata/")
    services = root.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert [each.get("Location", "").rpartition("/account")[2] for each in services] == [
        "/saml/fer/acs/"
    ]
    assert client.get("/account/saml/other/metadata/").status_code == 404
    assert client.get("/account/saml/fer/sls/").status_code == 404


def test_where_one_was_going_one_arrives(federation: Federation, browser: Browser) -> None:
    asked = browser.go(federation.rennes, then="/usage/")
    browser.come_back(
        packed(federation.rennes.response(asked, federation.rennes.attributes("anne")))
    )

    assert browser.last["location"] == "/usage/"


def test_nothing_but_what_a_role_follows_from_is_kept(
    federation: Federation, browser: Browser
) -> None:
    browser.sign_in(federation.rennes, "anne")

    assert SocialAccount.objects.get().extra_data == {
        "affiliations": ["employee", "member"],
        "uais": [],
        "siret": "",
        "doubt": "",
    }


def test_who_left_the_register_vouches_for_nobody(
    cast: Cast, federation: Federation, browser: Browser
) -> None:
    service = SignInService.objects.get(service_id=federation.rennes.entity_id)
    link_service(by=OPERATOR, service=service, institution=None)
    asked = browser.go(federation.rennes)
    federation.idps = [federation.reims]
    federation.publish()
    federation.read()

    told = federation.rennes.attributes("anne")
    assert browser.come_back(packed(federation.rennes.response(asked, told))) == 404
    refused(browser, 404)


def test_metadata_that_has_expired_lets_nobody_in(federation: Federation, browser: Browser) -> None:
    """The worker could not read it anew for too long: a certificate may have been withdrawn meanwhile."""
    MetadataSource.objects.update(valid_until=timezone.now() - timedelta(seconds=1))

    asked = browser.client.get("/account/saml/fer/login/", {"idp": federation.rennes.entity_id})

    assert asked.status_code == 404
    assert "Université de Rennes" not in browser.client.get("/sign-in/").content.decode()


def test_a_service_that_is_nobody_s_opens_no_account_that_is_there(
    cast: Cast, federation: Federation, browser: Browser
) -> None:
    """A provider far away may say that a domain is its own."""
    User.objects.filter(pk=cast.reims_dsi.pk).update(email="dsi@univ-reims.fr")
    EmailAddress.objects.update_or_create(
        user=cast.reims_dsi, defaults={"email": "dsi@univ-reims.fr", "verified": True}
    )

    browser.sign_in(federation.reims, "dsi")

    assert browser.last.headers["location"] == "/account/confirm-email/", "as for any new address"
    assert browser.user_id is None
    assert not SocialAccount.objects.exists()


def test_a_role_that_people_have_taken_away_does_not_come_back(
    cast: Cast, federation: Federation, new_browser: Callable[[], Browser]
) -> None:
    new_browser().sign_in(federation.rennes, "anne")
    anne = User.objects.get(email=f"anne@{RENNES}")
    revoke_role(by=cast.rennes_dsi, grant=anne.role_grants.get())

    assert new_browser().sign_in(federation.rennes, "anne") == 302

    assert not anne.role_grants.exists()
