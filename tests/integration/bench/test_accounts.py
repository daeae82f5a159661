"""The measurement of the accounts on few records: what it generates is what routers could have written down."""

import pytest
from django.core.management import call_command

from bench import accounts
from billing.models import UsageRecord

RECORDS = 400


@pytest.mark.django_db
def test_what_it_generates_is_stored_and_adds_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, few in (("INSTITUTIONS", 3), ("SERVERS", 4), ("MODELS", 2), ("KEYS", 6)):
        monkeypatch.setattr(accounts, name, few)

    people = accounts.make_register()
    accounts.generate(RECORDS)

    assert UsageRecord.objects.count() == RECORDS
    assert accounts.known_people() == people
    assert UsageRecord.objects.filter(cost_nano__gt=0).exists()
    capsys.readouterr()
    call_command("check_usage")
