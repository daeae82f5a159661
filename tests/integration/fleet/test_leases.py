"""Servers that come and go with jobs: what a job says over the interface, and what follows for its server."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from federation.fleet import tasks
from federation.fleet.enums import Availability, LeaseState, RunState, RunTrigger
from federation.fleet.models import InferenceServer, Lease, ServerToken, TechnicalForm
from federation.fleet.models.leases import LEASE
from federation.fleet.operations.leases import make_server_token, revoke_server_token
from federation.fleet.operations.maintenance import (
    begin_maintenance,
    end_maintenance,
    plan_maintenance,
)
from federation.fleet.operations.servers import change_server_state
from federation.fleet.operations.technical import revise_form
from federation.journal.models import AuditEvent
from routing.bridge.table import build_servers
from routing.core.enums import ServerState
from tests.integration.federation.world import make_checked, make_form
from tests.support.factories import OPERATOR, Cast, make_model, make_site
from tests.support.pages import signed_in_as

LEASES = "/manage/api/lease"
NODE = "http://10.35.0.7:8000"


class Job:
    """A job with a token, as it speaks over the interface."""

    def __init__(self, token: str, name: str = "4711 node7") -> None:
        self._client = Client(headers={"authorization": f"Bearer {token}"})
        self.name = name
        self.lease = ""
        self.number = 0

    def ask(self, method: str, path: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self._client.generic(
            method, f"{LEASES}{path}", data=json.dumps(body), content_type="application/json"
        )
        return answer.status_code, answer.json() if answer.content else {}

    def register(self, url: str = NODE, **more: Any) -> tuple[int, dict[str, Any]]:
        status, told = self.ask("POST", base_url=url, job=self.name, **more)
        self.lease = told.get("id", self.lease)
        return status, told

    def beat(self, number: int | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
        self.number = self.number + 1 if number is None else number
        return self.ask("POST", f"/{self.lease}/heartbeat", number=self.number, **more)

    def drain(self) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", f"/{self.lease}/drain")

    def leave(self) -> tuple[int, dict[str, Any]]:
        return self.ask("DELETE", f"/{self.lease}")


@pytest.fixture
def form(cast: Cast) -> TechnicalForm:
    """Of a server of jobs at Rennes, in service; no job has it."""
    found = make_checked(
        make_form(
            cast.rennes,
            make_site(cast.rennes),
            make_model(),
            base_url="http://10.35.0.1:8000",
            availability=Availability.SLURM,
            job_hosts=["10.35.0.0/24", "*.hpc.univ-rennes.fr"],
        )
    )
    change_server_state(by=OPERATOR, server=server_of(found), state=ServerState.LIVE)
    tasks.follow_jobs()
    return TechnicalForm.objects.get(pk=found.pk)


@pytest.fixture
def token(form: TechnicalForm) -> str:
    return make_server_token(by=OPERATOR, server=server_of(form))[1].reveal()


def server_of(form: TechnicalForm) -> InferenceServer:
    assert form.server_id is not None
    return InferenceServer.objects.get(pk=form.server_id)


def fall_silent(lease: str) -> None:
    long_ago = timezone.now() - LEASE - timedelta(seconds=1)
    Lease.objects.filter(pk=lease).update(heard_at=long_ago)


def test_without_a_job_it_is_paused(form: TechnicalForm) -> None:
    server = server_of(form)

    assert (server.state, server.paused) == (ServerState.DRAINING, True)


def test_a_job_comes_drains_and_leaves(form: TechnicalForm, token: str) -> None:
    job = Job(token)

    status, held = job.register()
    assert (status, held["state"], held["in_flight"]) == (201, "open", None)
    server = server_of(form)
    assert (server.state, server.base_url) == (ServerState.LIVE, NODE)

    status, held = job.beat()
    assert (status, held["state"]) == (200, "open")

    assert job.drain()[1]["state"] == "draining"
    assert job.drain()[0] == 200
    assert (server_of(form).state, server_of(form).paused) == (ServerState.DRAINING, True)
    assert job.beat()[0] == 200

    assert job.leave() == (204, {})
    lease = Lease.objects.get()
    assert lease.state == LeaseState.ENDED
    assert lease.ended_at is not None
    status, told = job.beat()
    assert (status, told["code"]) == (410, "over")


def test_the_router_begins_anew_with_each_job(form: TechnicalForm, token: str) -> None:
    def known() -> tuple[str, float | None]:
        section = build_servers(1)
        row = section.servers[str(form.server_id)]
        return row.base_url, row.held_since

    job = Job(token)
    job.register()
    first = known()
    job.register()

    assert first[0] == NODE
    assert first[1] is not None
    assert known()[1] not in (None, first[1])


def test_a_silent_job_is_given_up(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    tasks.follow_jobs()
    assert server_of(form).state == ServerState.LIVE

    fall_silent(job.lease)
    for _ in range(2):
        tasks.follow_jobs()

    assert Lease.objects.get().state == LeaseState.EXPIRED
    assert (server_of(form).state, server_of(form).paused) == (ServerState.DRAINING, True)
    assert job.beat()[0] == 410
    assert job.register()[0] == 201
    assert server_of(form).state == ServerState.LIVE


def test_a_heartbeat_from_the_past_is_refused(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    job.beat(5)
    heard = Lease.objects.get().heard_at

    for number in (5, 4):
        status, told = job.beat(number)
        assert (status, told["code"]) == (409, "past")
        assert "5" in told["detail"]

    assert Lease.objects.get().heard_at == heard
    assert job.beat(6)[0] == 200


def test_another_servers_token_moves_nothing(cast: Cast, form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    other_form = make_checked(
        make_form(
            cast.reims,
            make_site(cast.reims),
            make_model("other-8b"),
            availability=Availability.SLURM,
        )
    )
    stranger = Job(make_server_token(by=OPERATOR, server=server_of(other_form))[1].reveal())
    stranger.lease = job.lease
    before = Lease.objects.get()

    for status, told in (stranger.beat(), stranger.drain(), stranger.leave()):
        assert status == 404
        assert told["detail"]

    assert Lease.objects.filter(pk=before.pk, state="open", heard_at=before.heard_at).exists()


@pytest.mark.parametrize("text", ["", "ilaas_server_wrong", "x" * 5000])
def test_a_token_that_is_none_opens_nothing(form: TechnicalForm, text: str) -> None:
    assert Job(text).register()[0] == 401
    assert not Lease.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://10.36.0.7:8000",
        "https://10.35.0.7:8000",
        "http://evil.example.org",
        "http://node7.hpc.univ-rennes.fr.evil.org",
        "http://user@10.35.0.7",
        "ftp://10.35.0.7",
        "http://169.254.169.254/latest",
        "",
        "x" * 501,
    ],
)
def test_a_job_leads_nobody_elsewhere(form: TechnicalForm, token: str, url: str) -> None:
    status, told = Job(token).register(url)

    assert status == 422
    assert told["detail"]
    assert not Lease.objects.exists()
    assert server_of(form).base_url == "http://10.35.0.1:8000"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"base_url": NODE},
        {"base_url": NODE, "job": "  "},
        {"base_url": NODE, "job": "a\u0000b"},
        {"base_url": NODE, "job": "x" * 101},
        {"base_url": NODE, "job": "j", "ends_at": "tomorrow"},
        {"base_url": NODE, "job": "j", "ends_at": "2020-01-01T00:00:00Z"},
        {"base_url": NODE, "job": "j", "ends_at": "2036-01-01T00:00:00"},
        {"base_url": NODE, "job": "j", "api_key": ""},
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    form: TechnicalForm, token: str, body: dict[str, Any]
) -> None:
    status, told = Job(token).ask("POST", **body)

    assert status == 422
    assert told["detail"]
    assert not Lease.objects.exists()


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**70, "one", None])
def test_a_heartbeat_has_a_number(form: TechnicalForm, token: str, number: Any) -> None:
    job = Job(token)
    job.register()

    assert job.ask("POST", f"/{job.lease}/heartbeat", number=number)[0] == 422


def test_two_jobs_do_not_have_one_server(form: TechnicalForm, token: str) -> None:
    first, second = Job(token), Job(token, "4712 node8")
    first.register()

    status, told = second.register("http://10.35.0.8:8000")
    assert (status, told["code"]) == (409, "held")
    assert first.name in told["detail"]

    first.drain()
    assert second.register("http://10.35.0.8:8000")[0] == 201
    server = server_of(form)
    assert (server.state, server.base_url) == (ServerState.LIVE, "http://10.35.0.8:8000")
    assert first.beat()[1]["in_flight"] is None
    assert first.leave()[0] == 204
    assert server_of(form).state == ServerState.LIVE


def test_a_job_that_begins_again_takes_its_own_place(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    before = job.lease

    assert job.register()[0] == 201
    assert Lease.objects.get(pk=before).state == LeaseState.ENDED
    assert server_of(form).state == ServerState.LIVE


def test_a_known_end_is_kept_though_the_job_says_no_more(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    ends_at = timezone.now() + timedelta(minutes=5)
    job.register(ends_at=ends_at.isoformat())
    tasks.follow_jobs()
    assert server_of(form).state == ServerState.LIVE

    Lease.objects.update(ends_at=timezone.now())
    tasks.follow_jobs()

    assert Lease.objects.get().state == LeaseState.DRAINING
    assert server_of(form).state == ServerState.DRAINING


def test_a_revoked_token_ends_what_it_holds(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()

    revoke_server_token(by=OPERATOR, token=ServerToken.objects.get())

    assert job.beat()[0] == 401
    assert Lease.objects.get().state == LeaseState.ENDED
    assert (server_of(form).state, server_of(form).paused) == (ServerState.DRAINING, True)
    with pytest.raises(ValidationError) as refusal:
        revoke_server_token(by=OPERATOR, token=ServerToken.objects.get())
    assert refusal.value.code == "revoked"


def test_two_tokens_are_in_force_at_most(form: TechnicalForm, token: str) -> None:
    server = server_of(form)
    make_server_token(by=OPERATOR, server=server)

    with pytest.raises(ValidationError) as refusal:
        make_server_token(by=OPERATOR, server=server)
    assert refusal.value.code == "tokens"


@pytest.mark.parametrize("state", [ServerState.SUSPENDED, ServerState.DRAINING])
def test_what_people_have_taken_out_of_service_stays_so(
    form: TechnicalForm, token: str, state: ServerState
) -> None:
    job = Job(token)
    job.register()
    change_server_state(by=OPERATOR, server=server_of(form), state=state)

    tasks.follow_jobs()
    assert server_of(form).state == state
    status, told = job.register()
    assert (status, told["code"]) == (409, "out_of_service")
    job.leave()
    tasks.follow_jobs()
    assert server_of(form).state == state


def test_a_time_away_comes_before_a_job(form: TechnicalForm, token: str) -> None:
    server, soon = server_of(form), timezone.now() + timedelta(hours=1)
    row = plan_maintenance(by=OPERATOR, server=server, starts_at=soon)
    begin_maintenance(by=OPERATOR, maintenance=row)
    job = Job(token)

    assert job.register()[0] == 201
    tasks.follow_jobs()
    assert server_of(form).state == ServerState.DRAINING

    end_maintenance(by=OPERATOR, maintenance=row)
    assert server_of(form).state == ServerState.LIVE


def test_after_a_time_away_it_waits_for_its_job(form: TechnicalForm, token: str) -> None:
    Job(token).register()
    soon = timezone.now() + timedelta(hours=1)
    row = plan_maintenance(by=OPERATOR, server=server_of(form), starts_at=soon)
    begin_maintenance(by=OPERATOR, maintenance=row)
    fall_silent(str(Lease.objects.get().pk))
    tasks.follow_jobs()

    end_maintenance(by=OPERATOR, maintenance=row)

    assert (server_of(form).state, server_of(form).paused) == (ServerState.DRAINING, True)


def test_a_server_that_is_always_there_has_no_jobs(cast: Cast, form: TechnicalForm) -> None:
    assert form.site is not None
    assert form.model is not None
    other = make_checked(make_form(cast.rennes, form.site, form.model))

    with pytest.raises(ValidationError) as refusal:
        make_server_token(by=OPERATOR, server=server_of(other))
    assert refusal.value.code == "no_jobs"


def test_a_job_is_looked_at_once_a_day(form: TechnicalForm, token: str) -> None:
    server, job = server_of(form), Job(token)
    server.runs.all().delete()

    job.register()
    (run,) = server.runs.all()
    assert (run.trigger, run.state) == (RunTrigger.NIGHT, RunState.QUEUED)

    job.leave()
    assert server.runs.get().state == RunState.BROKEN
    job.register()
    assert server.runs.count() == 1


def test_what_is_declared_anew_ends_the_lease(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    revise_form(by=OPERATOR, form=form, fields={"gpu_count": 4})
    assert job.beat()[0] == 200
    assert server_of(form).base_url == NODE

    revise_form(by=OPERATOR, form=form, fields={"job_hosts": ["10.35.0.7/32"]})

    assert job.beat()[0] == 410
    server = server_of(form)
    assert (server.state, server.base_url) == (ServerState.STAGING, "http://10.35.0.1:8000")
    assert job.register()[0] == 201  # it is looked at there
    assert server_of(form).base_url == NODE


def test_a_key_of_the_job_comes_in_force_with_it(form: TechnicalForm, token: str) -> None:
    server = server_of(form)
    Job(token).register(api_key="of-this-job")

    assert server.credentials.current().count() == 1
    assert "of-this-job" not in server.credentials.current().get().ciphertext


def test_the_journal_tells_of_jobs_and_not_of_heartbeats(form: TechnicalForm, token: str) -> None:
    before = AuditEvent.objects.count()
    job = Job(token)
    job.register()
    for _ in range(3):
        job.beat()
    job.leave()

    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)[before:])
    assert verbs.count("fleet.open_lease") == 1
    assert verbs.count("fleet.move_lease") == 1
    assert not [verb for verb in verbs if "heartbeat" in verb or "renew" in verb]


def test_a_retired_server_keeps_no_job(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.register()
    change_server_state(by=OPERATOR, server=server_of(form), state=ServerState.DRAINING)

    change_server_state(by=OPERATOR, server=server_of(form), state=ServerState.RETIRED)

    assert job.beat()[0] == 401
    assert Lease.objects.get().state == LeaseState.ENDED


def test_the_page_makes_a_token_that_is_shown_once(cast: Cast, form: TechnicalForm) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    address = f"/servers/{form.server_id}/jobs/"
    assert "ilaas_job.py" in browser.get(address).content.decode()

    made = browser.post(f"{address}token/")
    text = made.content.decode().split('id="token-text">')[1].split("<")[0]
    assert made["cache-control"] == "no-store"
    assert Job(text).register()[0] == 201
    page = browser.get(address).content.decode()
    assert text not in page
    assert f"…{text[-4:]}" in page
    assert "4711 node7" in page

    browser.post(f"/servers/jobs/{ServerToken.objects.get().pk}/revoke/")
    assert Job(text).register()[0] == 401


@pytest.mark.parametrize("name", ["ilaas_job.py", "serve.sbatch"])
def test_the_files_are_those_of_the_project(cast: Cast, name: str) -> None:
    answer = signed_in_as(cast.rennes_dsi).get(f"/servers/jobs/{name}")

    assert answer.status_code == 200
    assert b"ILAAS_TOKEN_FILE" in b"".join(answer)


def test_an_unknown_lease_is_none(form: TechnicalForm, token: str) -> None:
    job = Job(token)
    job.lease = str(UUID(int=7))

    assert job.beat()[0] == 404
