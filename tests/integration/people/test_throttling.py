"""Guessing is slow wherever something can be guessed; the answer helps, and tells nobody who has an account."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule
from pytest_django import Settings

from federation.people.operations import make_first_admin_link
from federation.people.tasks import forget_old_counters
from tests.support.factories import OPERATOR, PASSWORD, Cast
from tests.support.factors import one_time_code, set_app, sign_in_fully

MINE, THEIRS = "192.0.2.7", "198.51.100.9"
TOO_MANY = 429
MOST_STATEMENTS = 12


def post(
    address: str, given: dict[str, str], *, asker: str = MINE, client: Client | None = None
) -> Any:
    """As it comes from the router: one address, the one that it believes."""
    return (client or Client()).post(
        address, given, headers={"x-forwarded-for": asker, "accept-language": "en"}
    )


def log_in(email: str, password: str = "wrong password", asker: str = MINE) -> Any:
    return post("/account/login/", {"login": email, "password": password}, asker=asker)


def errors(response: Any) -> str:
    return str(response.context["form"].errors)


def test_an_account_takes_five_wrong_passwords_from_wherever_they_come(cast: Cast) -> None:
    for number in range(5):
        log_in("admin@example.org", asker=f"192.0.2.{number}")

    refused = log_in("admin@example.org", PASSWORD, asker=THEIRS)

    assert "Too many failed login attempts" in errors(refused)
    assert log_in("auditor@example.org", PASSWORD, asker=THEIRS).status_code == 302


@pytest.mark.parametrize("email", ["ADMIN@example.org", " admin@example.org "])
def test_another_spelling_or_host_is_no_other_account(cast: Cast, email: str) -> None:
    for host in ("localhost", "127.0.0.1", "testserver", "localhost", "127.0.0.1"):
        given = {"login": "admin@example.org", "password": "wrong password"}
        Client().post("/account/login/", given, headers={"host": host})

    assert "Too many failed" in errors(log_in(email, PASSWORD))


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_moment_are_all_counted(cast: Cast) -> None:
    def guess(number: int) -> bool:
        try:
            answer = log_in(cast.admin.email, asker=f"192.0.2.{number}")
            # Of pages rendered at the same moment, a test client's `context` may be another's.
            return "Too many failed" in answer.content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        refused = list(threads.map(guess, range(16)))

    assert 1 <= refused.count(False) <= 5


def test_an_address_tries_few_accounts(db: None) -> None:
    for number in range(10):
        log_in(f"somebody-{number}@example.org")

    assert "Too many failed" in errors(log_in("somebody-else@example.org"))
    assert "Too many failed" not in errors(log_in("somebody-else@example.org", asker=THEIRS))


def test_a_whole_network_of_ipv6_is_one_asker_and_mapped_addresses_are_not(db: None) -> None:
    for number in range(10):
        log_in(f"somebody-{number}@example.org", asker=f"2001:db8:1:1::{number}")

    assert "Too many failed" in errors(log_in("x@example.org", asker="2001:db8:1:1:ffff::1"))
    assert "Too many failed" not in errors(log_in("x@example.org", asker="2001:db8:1:2::1"))
    for number in range(10):
        log_in(f"other-{number}@example.org", asker=f"::ffff:{MINE}")
    assert "Too many failed" not in errors(log_in("x@example.org", asker=f"::ffff:{THEIRS}"))


def test_what_a_client_says_of_itself_counts_for_nothing(db: None) -> None:
    """The router replaces what came by the address it believes; of a list, only its own entry is the last."""
    for number in range(10):
        log_in(f"somebody-{number}@example.org", asker=f"203.0.113.{number}, {MINE}")

    assert "Too many failed" in errors(log_in("x@example.org", asker=f"8.8.8.8, {MINE}"))


def test_an_address_asks_for_the_form_thirty_times_a_minute(db: None) -> None:
    for number in range(30):
        log_in(f"somebody-{number}@example.org")

    refused = log_in("x@example.org")

    check_helpful(refused)
    assert log_in("x@example.org", asker=THEIRS).status_code == 200


def check_helpful(response: Any) -> None:
    assert response.status_code == TOO_MANY
    assert int(response.headers["Retry-After"]) == 60
    assert "no-store" in response.headers["Cache-Control"]
    assert "Too many attempts" in response.content.decode()
    assert "css/ilaas.css" in response.content.decode()


def test_the_page_speaks_french_as_well(db: None) -> None:
    for _ in range(11):
        response = Client().post("/people/first-admin/x/", headers={"accept-language": "fr"})

    assert response.status_code == TOO_MANY
    assert "Trop d’essais" in response.content.decode()


def sign_up(number: int) -> Any:
    given = {"name": "Eve", "password1": PASSWORD, "password2": PASSWORD}
    return post("/account/signup/", {**given, "email": f"eve-{number}@example.org"})


def ask_for_a_link(number: int) -> Any:
    return post("/account/password/reset/", {"email": f"eve-{number}@example.org"})


def accept(number: int) -> Any:
    return post(f"/people/invitation/guess-{number}/", {})


def claim(number: int) -> Any:
    return post(f"/people/first-admin/guess-{number}/", {})


def report(number: int) -> Any:
    return post("/keys/leaks/", {"text": "x"})


def see_the_doctor(number: int) -> Any:
    return post("/doctor/", {"key": "x"})


def use_a_link(number: int) -> Any:
    return post("/account/password/reset/key/1-wrong/", {})


def come_with_a_passkey(number: int) -> Any:
    return post("/account/2fa/webauthn/login/", {"credential": "{}"})


def begin_with_a_passkey(number: int) -> Any:
    return Client().get(
        "/account/2fa/webauthn/login/",
        headers={"accept": "application/json", "x-forwarded-for": MINE},
    )


@pytest.mark.parametrize(
    ("act", "most"),
    [
        (begin_with_a_passkey, 30),
        (sign_up, 20),
        (ask_for_a_link, 20),
        (use_a_link, 20),
        (accept, 20),
        (claim, 10),
        (report, 10),
        (see_the_doctor, 10),
        (come_with_a_passkey, 10),
    ],
)
def test_an_address_does_it_so_often_a_minute(
    db: None, plain_static: None, act: Callable[[int], Any], most: int
) -> None:
    for number in range(most):
        assert act(number).status_code != TOO_MANY, number

    refused = act(most)

    assert refused.status_code == TOO_MANY
    assert int(refused.headers["Retry-After"]) == 60


def test_an_account_is_written_to_three_times_in_ten_minutes(cast: Cast) -> None:
    answers = [
        post("/account/password/reset/", {"email": cast.admin.email}, asker=f"192.0.2.{number}")
        for number in range(5)
    ]

    assert len(mail.outbox) == 3
    assert answers[0].status_code == 302
    assert "Too many" in answers[-1].content.decode() or answers[-1].status_code == TOO_MANY


def test_one_time_codes_are_guessed_five_times(cast: Cast) -> None:
    secret = set_app(cast.rennes_dsi)
    client = Client()
    post("/account/login/", {"login": cast.rennes_dsi.email, "password": PASSWORD}, client=client)
    for number in range(5):
        page = post(
            "/account/2fa/authenticate/",
            {"code": f"00000{number}"},
            client=client,
            asker=f"192.0.2.{number}",
        )
        assert "Too many" not in errors(page)

    good = {"code": one_time_code(secret)}
    refused = post("/account/2fa/authenticate/", good, client=client, asker=THEIRS)

    assert "Too many" in errors(refused)
    assert client.get("/servers/").status_code == 302


def test_setting_and_showing_again_are_guessed_as_seldom(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi)
    pages = [
        post("/account/2fa/reauthenticate/", {"code": "000000"}, client=client) for _ in range(6)
    ]

    assert "Too many" not in errors(pages[4])
    assert "Too many" in errors(pages[5])


def test_a_password_is_confirmed_ten_times_a_minute(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_user)
    pages = [
        post("/account/reauthenticate/", {"password": "wrong"}, client=client, asker=f"192.0.2.{n}")
        for n in range(11)
    ]

    assert "Too many failed" in errors(pages[5])
    check_helpful(pages[10])


def test_a_code_from_an_e_mail_is_guessed_three_times(db: None) -> None:
    client = Client()
    given = {"name": "Eve", "password1": PASSWORD, "password2": PASSWORD}
    post("/account/signup/", {**given, "email": "eve@example.org"}, client=client)
    found = re.search(r"^[A-Z0-9-]{6,}$", str(mail.outbox[0].body), re.MULTILINE)
    assert found is not None
    for _ in range(3):
        post("/account/confirm-email/", {"code": "AAAAAA"}, client=client)

    post("/account/confirm-email/", {"code": found[0]}, client=client)

    assert client.get("/membership/").status_code == 302


def test_counts_outlive_the_process_and_not_their_time(cast: Cast) -> None:
    log_in("admin@example.org")

    def counted() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM portal_cache WHERE cache_key LIKE '%login_failed%'"
            )
            return int(cursor.fetchone()[0])

    assert counted() == 2  # of the address and of the account
    with connection.cursor() as cursor:
        cursor.execute("UPDATE portal_cache SET expires = %s", [timezone.now()])
    forget_old_counters()
    assert counted() == 0


def test_a_failed_sign_in_is_counted_in_few_statements_that_look_at_one_row_each(
    cast: Cast,
) -> None:
    with CaptureQueriesContext(connection) as captured:
        log_in("admin@example.org")

    counting = [query["sql"] for query in captured if "portal_cache" in query["sql"]]
    # Three counters: of each its lock is taken, its value read and written, its lock given back.
    assert len(counting) <= MOST_STATEMENTS
    assert all("cache_key" in sql for sql in counting)  # none looks at the whole table


def test_one_of_those_who_take_a_lock_at_the_same_moment_has_it(db: None) -> None:
    assert cache.add("lock", 1, timeout=10)
    assert not cache.add("lock", 2, timeout=10)
    assert cache.get("lock") == 1

    cache.set("lock", 3, timeout=-1)

    assert cache.get("lock") is None
    assert cache.add("lock", 4, timeout=None)
    assert cache.get("lock") == 4


def test_what_is_over_is_deleted_every_hour(db: None) -> None:
    import_module("federation.people.migrations.0004_counters_every_hour").schedule(apps, None)

    scheduled = Schedule.objects.get(func="federation.people.tasks.forget_old_counters")

    assert (scheduled.schedule_type, scheduled.repeats) == (Schedule.HOURLY, -1)


def test_a_valid_link_of_the_first_administrator_is_not_closed_by_reading_it(
    db: None, plain_static: None
) -> None:
    address = f"/people/first-admin/{make_first_admin_link(by=OPERATOR)}/"

    assert [Client().get(address).status_code for _ in range(15)] == [200] * 15


SIGN_UP = {"name": "Eve", "password1": PASSWORD, "password2": PASSWORD}


@pytest.mark.parametrize(
    ("address", "field", "given"),
    [
        ("/account/login/", "login", {"password": "wrong password"}),
        ("/account/password/reset/", "email", {}),
        ("/account/signup/", "email", SIGN_UP),
    ],
)
def test_nobody_learns_who_has_an_account(
    cast: Cast, address: str, field: str, given: dict[str, str]
) -> None:
    def answers(email: str) -> list[tuple[int, str, str]]:
        """Asked twice: a limit that only one of them meets would tell as well."""
        told = []
        for _ in range(2):
            response = post(address, {**given, field: email})
            text = response.content.decode().replace(email, "")
            text = re.sub(r'value="[^"]{20,}"|x-csrftoken": "[^"]+"', "", text)
            told.append((response.status_code, response.headers.get("Location", ""), text))
        return told

    unknown = answers("nobody@example.org")
    written = len(mail.outbox)

    assert answers(cast.admin.email) == unknown
    assert len(mail.outbox) == 2 * written


def test_an_unknown_account_takes_as_long_as_a_known_one(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The costly step is the password's hash: it is made for an account that is none as well."""
    hashed: list[str] = []
    hasher = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    settings.PASSWORD_HASHERS = [hasher]
    monkeypatch.setattr(f"{hasher}.iterations", 1)

    def counting(self: Any, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(password)
        return f"pbkdf2_sha256$1${salt.decode() if isinstance(salt, bytes) else salt}$x"

    monkeypatch.setattr(f"{hasher}.encode", counting)
    log_in("nobody@example.org")
    unknown = len(hashed)
    log_in("admin@example.org")

    assert unknown == len(hashed) - unknown == 1
