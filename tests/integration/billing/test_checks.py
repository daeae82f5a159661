"""Whether the accounts hold together, and how that is told."""

from datetime import datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from msgspec.structs import replace

from billing.models import UsageRecord
from billing.periods import last_days
from billing.records import intake, partitions
from billing.records.checks import NAMED, complain, findings
from tests.integration.billing.conftest import Use, used
from tests.support.factories import make_application, make_institution, make_key, serve_model

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _months() -> None:
    partitions.ensure(*last_days(32).days[::31])


def sound(use: Use, at: datetime | None = None) -> None:
    rennes = make_institution("rennes")
    key, _text = make_key(make_application(rennes))
    use(key, serve_model(rennes), at=at)


def test_records_of_the_register_are_sound(use: Use) -> None:
    sound(use)
    output = StringIO()

    call_command("check_usage", stdout=output)

    assert findings() == []
    assert output.getvalue() == "The accounts hold together.\n"


def test_every_id_that_nobody_knows_is_found(use: Use) -> None:
    use(server_id=str(UUID(int=404)), deployment_id=str(UUID(int=405)))
    UsageRecord.objects.update(asked_model_id=UUID(int=406))

    told = "\n".join(findings())

    unknown = set(NAMED) - {"serving_institution_id"}  # without a known server it stays empty
    assert {column for column in NAMED if f" {column} " in told} == unknown


def test_a_refused_request_that_names_no_server_is_sound(use: Use) -> None:
    key, _text = make_key(make_application(make_institution("rennes")))
    model = serve_model(make_institution("reims")).version.model
    refused = used(key)
    intake.store([replace(refused, opened=replace(refused.opened, model_id=str(model.pk)))])

    assert findings() == []


def test_a_row_outside_every_month_is_found(use: Use) -> None:
    sound(use, at=timezone.now() - timedelta(days=700))

    assert findings() == [
        "1 rows of billing_usagerecord lie outside every month's partition",
        "1 rows of billing_attempt lie outside every month's partition",
    ]


def test_the_clerk_looks_at_the_last_days_alone(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    use(at=timezone.now() - timedelta(days=20))

    complain(last_days(2))
    assert caplog.text == ""

    use()
    complain(last_days(2))
    assert "1 usage records have a key_id that is not in the register" in caplog.text


def test_what_is_found_makes_the_command_fail(use: Use) -> None:
    use()
    errors = StringIO()

    with pytest.raises(CommandError, match="4 findings"):
        call_command("check_usage", "--days", "3", stderr=errors)

    assert "key_id" in errors.getvalue()


@pytest.mark.parametrize("days", ["0", "-1", "1001", "x", "1.5", "١"])
def test_a_number_of_days_that_cannot_be_is_refused(days: str) -> None:
    with pytest.raises(CommandError, match="no number from 1 to 1000"):
        call_command("check_usage", "--days", days)
