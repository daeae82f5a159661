"""Requests of the past as usage records: under the register's ids, with what only the dispatcher noted beside."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from uuid import UUID

from billing.models import ImportedRequest
from billing.records.imports import BATCH, Imported
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel, Alias
from federation.fleet.models import Deployment, InferenceServer
from routing.bridge.transfer.former import Home
from routing.bridge.transfer.history import Past
from routing.core.accounting import Attempt, Closed, Opened
from routing.core.enums import Endpoint, RequestStatus, UsageSource
from routing.upstream.egress import parse_base_url
from routing.upstream.errors import EgressRefused

ORIGIN = "aristote-dispatcher"


def in_batches(past: Iterable[Past]) -> Iterator[list[Past]]:
    each = iter(past)
    while batch := list(islice(each, BATCH)):
        yield batch


class Keeper:
    """Makes records of past requests; everything that they may name is read once."""

    def __init__(self, homes: Mapping[tuple[str, str], Home]) -> None:
        self._homes = homes
        self._keys = _keys()
        self._models = {slug.lower(): pk for pk, slug in AIModel.objects.values_list("pk", "slug")}
        self._models |= {
            name.lower(): pk
            for name, pk in Alias.objects.in_force().values_list("name", "model_id")
        }
        self._servers = _servers()
        self._deployments = {
            (server, model): pk
            for server, model, pk in Deployment.objects.order_by("created_at").values_list(
                "server_id", "version__model_id", "pk"
            )
        }
        self._urls: dict[str, str] = {}

    def imported(self, batches: Iterable[list[Past]]) -> Iterator[list[Imported]]:
        for batch in batches:
            yield [(self.closed(past), beside(past)) for past in batch]

    def closed(self, past: Past) -> Closed:
        """Return the record. The dispatcher kept no status: what it wrote down was answered."""
        key = self._keys[self._homes[past.user, past.organization]]
        model = self._models[past.model.lower()]
        server = self._servers.get(self._url(past.server))
        deployment = self._deployments.get((server, model)) if server else None
        ended = past.ended or past.sent or past.asked
        tried: tuple[Attempt, ...] = ()
        if server and deployment:
            tried = (
                Attempt(
                    server_id=str(server),
                    deployment_id=str(deployment),
                    started_at=(past.sent or past.asked).timestamp(),
                    outcome=RequestStatus.OK,
                    ended_at=ended.timestamp(),
                ),
            )
        counted = past.prompt_tokens is not None or past.completion_tokens is not None
        return Closed(
            opened=_opened(past, key, model),
            status=RequestStatus.OK,
            http_status=200,
            server_id=str(server) if server else None,
            deployment_id=str(deployment) if deployment else None,
            model_served=past.model,
            prompt_tokens=past.prompt_tokens or 0,
            cached_tokens=0,
            completion_tokens=past.completion_tokens or 0,
            reasoning_tokens=0,
            usage_source=UsageSource.SERVER if counted else UsageSource.NONE,
            first_token_at=None,
            finished_at=ended.timestamp(),
            attempts=tried,
        )

    def _url(self, text: str) -> str:
        """Return an address in its one spelling, empty when it is none."""
        if text not in self._urls:
            try:
                self._urls[text] = parse_base_url(text).url
            except EgressRefused:
                self._urls[text] = ""
        return self._urls[text]


def beside(past: Past) -> ImportedRequest:
    return ImportedRequest(
        request_id=past.id,
        origin=ORIGIN,
        server=past.server,
        server_organization=past.server_organization,
        sent_at=past.sent,
        strategy=past.strategy,
        requeue_count=past.requeue_count,
        max_parallel_requests=past.max_parallel,
        current_parallel_requests=past.current_parallel,
        performance_score=past.score,
        routing_mode=past.routing_mode,
    )


def _opened(past: Past, key: ApiKey, model: UUID) -> Opened:
    return Opened(
        id=str(past.id),
        client_request_id="",
        key_id=str(key.pk),
        application_id=str(key.application_id),
        institution_id=str(key.application.institution_id),
        model_id=str(model),
        model_asked=past.model,
        endpoint=Endpoint.OTHER,
        stream=False,
        priority=past.priority or key.priority,
        received_at=past.asked.timestamp(),
        prompt_estimate=0,
    )


def _keys() -> dict[Home, ApiKey]:
    """Return a key for each home, one that works before one that does not."""
    rows = ApiKey.objects.select_related("application__institution").order_by("created_at", "pk")
    ordered = sorted(rows, key=lambda row: row.is_usable)
    return {(row.application.institution.slug, row.name): row for row in ordered}


def _servers() -> dict[str, UUID]:
    """Return a server for each address, one that is in the register before one that has left it."""
    retired = InferenceServer.objects.order_by("created_at").values_list("base_url", "pk")
    return dict(retired) | dict(InferenceServer.objects.present().values_list("base_url", "pk"))
