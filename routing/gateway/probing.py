"""Looks after the servers that the dispatcher wants looked after: ejected ones, and those long without a sign."""

import asyncio
import logging

import httpx

from routing.gateway.gateway import Gateway
from routing.gateway.verdicts import Failed
from routing.upstream.probe import probe

SECONDS = 0.5
logger = logging.getLogger(__name__)


async def keep_probing(gateway: Gateway, http: httpx.AsyncClient) -> None:
    """Probe what is due, each server apart, until cancelled."""
    async with asyncio.TaskGroup() as probes:
        while True:
            for server_id in gateway.dispatcher.probes_due():
                probes.create_task(_probe(gateway, http, server_id))
            await asyncio.sleep(SECONDS)


async def _probe(gateway: Gateway, http: httpx.AsyncClient, server_id: str) -> None:
    server = gateway.table.servers.servers.get(server_id)
    if server is None:
        return
    try:
        result = await probe(server, gateway.destination(server), http)
        failure, sentence = result.error, result.sentence
    except Failed as failed:
        failure, sentence = failed.failure, "Its address or its token cannot be used."
    gateway.dispatcher.probed(server_id, failure is None, failure)
    if failure is not None:
        logger.warning("server %s: %s", server.name, sentence)
