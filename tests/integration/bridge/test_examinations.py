"""The clerk hands conformity runs to a router and writes down what it finds, whoever dies in between."""

from datetime import timedelta

import pytest
from django.utils import timezone

from federation.catalogue.models import AIModel
from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, Deployment, InferenceServer, TechnicalForm
from federation.fleet.operations.deployments import deploy_model
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.technical import submit_form
from routing.bridge.conformity import Examinations, claim, job_of, note
from routing.core.conformity import (
    CHECKS,
    Check,
    ConformityEnd,
    ConformityJob,
    ConformityLine,
    Finding,
    Line,
    RunKind,
    Verdict,
)
from routing.core.enums import ServerState
from tests.integration.federation.world import make_form
from tests.support.factories import OPERATOR, make_institution, make_model, make_site, serve_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> ConformityRun:
    rennes, model = make_institution("rennes"), make_model()
    form = make_form(rennes, make_site(rennes), model, tools=True)
    submit_form(by=OPERATOR, form=form)
    return ConformityRun.objects.get()


def a_line(run: ConformityRun, check: Check, attempt: int | None = None) -> ConformityLine:
    line = Line(check=check, verdict=Verdict.OK, finding=Finding.FINE, milliseconds=3)
    return ConformityLine(run_id=str(run.pk), attempt=attempt or run.attempt, line=line)


def claimed(connection: str = "first") -> ConformityRun:
    run = claim(connection)
    assert run is not None
    return run


def test_a_run_is_claimed_once_and_ends_with_its_lines(run: ConformityRun) -> None:
    begun = claimed()
    assert (begun.pk, begun.attempt) == (run.pk, 1)
    assert claim("first") is None
    for check in CHECKS[RunKind.CONFORMITY]:
        note(a_line(begun, check))
        note(a_line(begun, check))

    note(ConformityEnd(run_id=str(run.pk), attempt=1))
    note(ConformityEnd(run_id=str(run.pk), attempt=1))

    run.refresh_from_db()
    assert run.state == RunState.PASSED
    assert run.lines.count() == len(CHECKS[RunKind.CONFORMITY])
    assert InferenceServer.objects.get().state == ServerState.STAGING


def test_the_job_says_what_the_form_says(run: ConformityRun) -> None:
    other = serve_model(make_institution("reims"), credential="token of Reims")
    make_model("another-model")

    job = job_of(claimed())

    assert job.server.base_url == "https://gpu-9.example.org"
    assert job.declared.served_name == "mistral-small"
    assert (job.declared.tools, job.declared.json_schema) == (True, False)
    assert job.declared.context_length == 32_768
    assert [peer.served_name for peer in job.peers] == [other.served_name]
    assert job.peers[0].server.credential
    assert "another-model" in job.other_models
    assert "mistral-small" not in job.other_models


def test_a_run_names_the_deployment_that_it_looks_at(run: ConformityRun) -> None:
    form = TechnicalForm.objects.get()
    declared = form.server.deployments.get()  # type: ignore[union-attr]
    other = make_model("another-model").versions.get()
    deploy_model(by=OPERATOR, server=declared.server, version=other, served_name="another")
    Deployment.objects.filter(pk=declared.pk).update(served_name="declared")
    TechnicalForm.objects.update(served_name="declared")

    begun = claimed()

    assert begun.deployment == declared
    assert job_of(begun).declared.served_name == "declared"


def test_a_server_that_nobody_has_described_is_asked_for_what_the_catalogue_says() -> None:
    deployment = serve_model(make_institution("reims"))
    AIModel.objects.update(capabilities=["chat", "tools", "vision", "transcription"])
    request_run(by=OPERATOR, server=deployment.server)

    declared = job_of(claimed()).declared

    assert (declared.chat, declared.tools, declared.images, declared.audio) == (True,) * 4
    assert (declared.json_schema, declared.embeddings) == (False, False)
    assert declared.context_length == deployment.version.context_length


def test_the_models_of_such_a_server_take_turns() -> None:
    reims = make_institution("reims")
    first = serve_model(reims, "one-1b", url="http://127.0.0.1:21001")
    second = serve_model(reims, "two-2b", url="http://127.0.0.1:21001")
    assert first.server_id == second.server_id
    looked_at = []
    for _ in range(3):
        request_run(by=OPERATOR, server=first.server)
        begun = claimed()
        looked_at.append(begun.deployment)
        for check in CHECKS[RunKind.CONFORMITY]:
            note(a_line(begun, check))
        note(ConformityEnd(run_id=str(begun.pk), attempt=begun.attempt))

    assert looked_at == [first, second, first]


def test_who_asks_for_a_run_may_name_the_model() -> None:
    first = serve_model(make_institution("reims"), "one-1b", url="http://127.0.0.1:21001")
    second = serve_model(first.server.institution, "two-2b", url="http://127.0.0.1:21001")

    request_run(by=OPERATOR, server=first.server, deployment=second)

    assert claimed().deployment == second


def test_a_run_whose_router_dies_is_taken_up_again_and_the_past_is_not_heard(
    run: ConformityRun,
) -> None:
    first = claimed("first")
    note(a_line(first, Check.DNS))

    second = claimed("second")
    assert (second.pk, second.attempt) == (run.pk, 2)
    assert run.lines.count() == 0
    note(a_line(first, Check.DNS, attempt=1))
    note(ConformityEnd(run_id=str(run.pk), attempt=1))

    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert run.lines.count() == 0


def test_a_run_of_which_nothing_is_heard_is_taken_up_again(run: ConformityRun) -> None:
    claimed()
    ConformityRun.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    assert claimed().attempt == 2


def test_a_run_that_is_never_made_ends_without_a_word_on_the_server(run: ConformityRun) -> None:
    orders: list[ConformityJob] = []
    connections = iter("abcd")
    work = Examinations(orders.append, lambda: next(connections, None))

    for _ in range(4):
        work.hand_out()

    run.refresh_from_db()
    assert [job.attempt for job in orders] == [1, 2, 3]
    assert run.state == RunState.BROKEN
    assert InferenceServer.objects.get().state == ServerState.SUBMITTED


def test_what_is_due_later_waits(run: ConformityRun) -> None:
    ConformityRun.objects.update(due_at=timezone.now() + timedelta(minutes=5))

    assert claim("first") is None


def test_runs_of_other_servers_are_handed_out_beside(run: ConformityRun) -> None:
    deployment = serve_model(make_institution("reims"))
    request_run(by=OPERATOR, server=deployment.server)

    assert {claimed().server_id, claimed().server_id} == set(
        InferenceServer.objects.values_list("pk", flat=True)
    )
