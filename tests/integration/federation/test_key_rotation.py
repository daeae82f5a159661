"""Another encryption key: what is sealed with the former is sealed anew, row by row, and then the former may go."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models
from django.test import Client
from pytest_django import Settings

from federation.fleet.models import TechnicalForm, UpstreamCredential
from federation.fleet.operations import rotation
from federation.fleet.operations.credentials import current_credential, rotate_credential
from federation.fleet.operations.rotation import reseal_everything, survey
from federation.fleet.sealed import PLACES
from federation.journal.chain import verify
from federation.journal.models import AuditEvent
from federation.people.letters import Letter
from federation.people.models import Mail
from federation.people.post import post
from routing.bridge.models import RoutingChange
from routing.upstream.credentials import (
    KNOWN_KEYS,
    Secret,
    known_keys,
    load_keys,
    seal,
    unseal,
)
from tests.integration.federation.world import World
from tests.support.factories import OPERATOR, make_server, make_site
from tests.support.factors import one_time_code, set_app, sign_in_fully

TOKEN = Secret("sk-of-rennes")


def new_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def old(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key that everything was sealed with, alone in its file."""
    monkeypatch.delenv("ENCRYPTION_KEY", raising=False)
    settings.VAR = tmp_path
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "encryption_key").write_text(settings.ENCRYPTION_KEY)
    return str(settings.ENCRYPTION_KEY)


@pytest.fixture
def two_keys(old: str, world: World, settings: Settings) -> str:
    """A register sealed with the former key, and a new one in front of it."""
    server = world.server
    post(world.cast.admin, lambda: Letter("Hello", ("a link",)))
    rotate_credential(by=OPERATOR, server=server, credential=Secret("ended"))
    rotate_credential(by=OPERATOR, server=server, credential=TOKEN)
    form = TechnicalForm.objects.filter(state="draft").first() or TechnicalForm.objects.first()
    assert form is not None
    form.sealed_key = seal(str(form.pk), Secret("sk-draft"), load_keys(old))
    form.save(update_fields=["sealed_key"])
    client = sign_in_fully(Client(), world.cast.rennes_dsi)
    client.post("/account/2fa/recovery-codes/generate/")
    new = new_key()
    settings.ENCRYPTION_KEY = f"{new},{old}"
    return new


def run(*options: str) -> str:
    out = StringIO()
    call_command("rotate_encryption_key", *options, stdout=out, stderr=out)
    return out.getvalue()


def sealed_texts() -> list[str]:
    """Return all sealed texts, found without the code that changes them."""
    texts = list(UpstreamCredential.objects.values_list("ciphertext", flat=True))
    texts += TechnicalForm.objects.exclude(sealed_key="").values_list("sealed_key", flat=True)
    texts += Mail.objects.values_list("sealed", flat=True)
    for data in Authenticator.objects.values_list("data", flat=True):
        texts += re.findall(r"gAAAA[\w=-]+", str(data))
    return texts


def opened_by(key: str) -> int:
    fernet, count = Fernet(key), 0
    for text in sealed_texts():
        try:
            fernet.decrypt(text.encode())
        except Exception:  # noqa: BLE001  # counted by its absence
            continue
        count += 1
    return count


def test_afterwards_the_new_key_alone_opens_everything(
    world: World, two_keys: str, settings: Settings
) -> None:
    everything = len(sealed_texts())
    assert everything >= 6
    assert opened_by(two_keys) == 0

    told = run()

    assert opened_by(two_keys) == everything
    assert "the others may go" in told
    settings.ENCRYPTION_KEY = two_keys
    assert current_credential(world.server) == TOKEN
    verify(AuditEvent.objects.order_by("seq"))


def test_an_app_and_recovery_codes_go_on(world: World, two_keys: str, settings: Settings) -> None:
    secret = set_app(world.cast.admin)
    browser = sign_in_fully(Client(), world.cast.rennes_dsi)
    codes = browser.get("/account/2fa/recovery-codes/").context["unused_codes"]
    run()
    settings.ENCRYPTION_KEY = two_keys

    assert browser.get("/account/2fa/recovery-codes/").context["unused_codes"] == codes
    client = sign_in_fully(Client(), world.cast.admin)
    given = {"code": one_time_code(secret), "next": "/servers/"}
    assert client.post("/account/2fa/reauthenticate/", given).status_code == 302


def test_a_dry_run_counts_and_changes_nothing(two_keys: str) -> None:
    before = sealed_texts()

    told = run("--dry-run")

    assert "servers' access keys: 0 sealed with the first key" in told
    assert sealed_texts() == before


def test_a_second_run_finds_nothing_to_do(two_keys: str) -> None:
    run()
    before, events = sealed_texts(), AuditEvent.objects.count()

    run()

    assert sealed_texts() == before
    assert AuditEvent.objects.count() == events


def test_killed_in_the_middle_it_goes_on_where_it_was(
    two_keys: str, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = len(sealed_texts())
    monkeypatch.setattr(rotation, "BATCH", 1)
    write, written = rotation._write, list[models.Model]()

    def die_at_the_third(row: models.Model, changes: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(row)
        write(row, changes)

    monkeypatch.setattr(rotation, "_write", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        reseal_everything(by=OPERATOR)
    assert opened_by(two_keys) == 2
    assert opened_by(old) == everything - 2
    assert AuditEvent.objects.filter(verb="fleet.reseal").count() == 2

    monkeypatch.setattr(rotation, "_write", write)
    run()

    assert opened_by(two_keys) == everything


def test_a_row_that_no_key_opens_stops_it_before_it_begins(two_keys: str, world: World) -> None:
    lost = UpstreamCredential.objects.current().get(server=world.server)
    lost.ciphertext = seal(str(world.server.pk), TOKEN, load_keys(new_key()))
    lost.save(update_fields=["ciphertext"])
    before = sealed_texts()
    out = StringIO()

    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_encryption_key", stdout=out)

    assert f"servers' access keys: {lost.pk} opens with no key" in out.getvalue()
    assert sealed_texts() == before
    run("--give-up-lost")
    assert opened_by(two_keys) == len(before) - 1
    lost.refresh_from_db()
    assert lost.ciphertext in before


def test_the_router_is_told_of_every_server(two_keys: str, world: World) -> None:
    before = set(RoutingChange.objects.values_list("pk", flat=True))

    run()
    fire_deferred_triggers()

    told = RoutingChange.objects.exclude(pk__in=before)
    current = UpstreamCredential.objects.current().get(server=world.server)
    assert str(current.pk) in {str(row.object_id) for row in told.filter(section="servers")}


def fire_deferred_triggers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_router_that_has_not_read_the_new_key_stops_it(
    two_keys: str, old: str, settings: Settings
) -> None:
    proof = Path(settings.VAR) / KNOWN_KEYS
    proof.write_bytes(known_keys(load_keys(old)))
    before = sealed_texts()
    with pytest.raises(CommandError, match="Restart the product"):
        run()
    assert sealed_texts() == before

    proof.write_bytes(known_keys(load_keys(settings.ENCRYPTION_KEY)))
    run()
    assert opened_by(two_keys) == len(before)


def test_the_file_gets_a_new_first_key_and_loses_the_old_one(
    old: str, world: World, settings: Settings
) -> None:
    rotate_credential(by=OPERATOR, server=world.server, credential=TOKEN)
    file = Path(settings.VAR) / "secrets" / "encryption_key"

    run("--add-key")
    new, kept = file.read_text().strip().split(",")
    assert kept == old
    assert file.stat().st_mode & 0o777 == 0o600
    settings.ENCRYPTION_KEY = file.read_text().strip()
    with pytest.raises(CommandError, match="still needed"):
        run("--drop-old-keys")
    run()
    run("--drop-old-keys")

    assert file.read_text().strip() == new
    settings.ENCRYPTION_KEY = new
    assert current_credential(world.server) == TOKEN


def test_keys_of_the_environment_are_its_owners_to_change(
    two_keys: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", settings.ENCRYPTION_KEY)
    file = Path(settings.VAR) / "secrets" / "encryption_key"
    before = file.read_text()

    made = run("--add-key").splitlines()[-1]
    run()

    Fernet(made)
    assert made not in settings.ENCRYPTION_KEY
    assert "environment" in run("--drop-old-keys")
    assert file.read_text() == before


def test_a_text_moved_to_another_row_opens_nothing_there_afterwards(
    two_keys: str, world: World
) -> None:
    run()
    sealed = UpstreamCredential.objects.current().get(server=world.server)
    other = make_server(make_site(world.cast.rennes))

    with pytest.raises(Exception, match="another server"):
        unseal(str(other.pk), sealed.ciphertext, load_keys(two_keys))


def test_nobody_but_an_operator_seals_anew(two_keys: str, world: World) -> None:
    before = sealed_texts()
    for person in world.cast.people().values():
        with pytest.raises(PermissionDenied):
            reseal_everything(by=person)
    assert sealed_texts() == before
    assert survey().older.total() > 0


def test_every_sealed_column_of_the_register_is_known() -> None:
    known = {(place.model, name) for place in PLACES for name in place.fields}
    for model in apps.get_models():
        for field in model._meta.get_fields():
            name: Any = getattr(field, "name", "")
            if "sealed" in name or "ciphertext" in name:
                assert (model, name) in known, f"{model._meta.label}.{name} needs a line in PLACES"
