"""`manage.py list_servers`: one line per model in service on each server that is not retired."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch

from federation.command import OperatorCommand
from federation.fleet.models import Deployment, InferenceServer

HEADER = (
    "SERVER",
    "INSTITUTION",
    "SITE",
    "ENGINE",
    "STATE",
    "MODEL",
    "SERVED AS",
    "MOST",
    "ADDRESS",
)


class Command(OperatorCommand):
    help = "List the servers and what they serve. Whether they are well is the router's to say."

    def handle(self, *args: Any, **options: Any) -> None:
        lines = [HEADER, *rows()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def rows() -> Iterator[tuple[str, ...]]:
    live = Prefetch("deployments", Deployment.objects.live().select_related("version__model"))
    servers = InferenceServer.objects.present().select_related("site__institution")
    for server in servers.prefetch_related(live):
        served = [(row.version.model.slug, row.served_name) for row in server.deployments.all()]
        for model, served_name in served or [("-", "-")]:
            yield (
                server.slug,
                server.institution.slug,
                server.site.name,
                server.engine,
                server.state,
                model,
                served_name,
                str(server.max_parallel or "-"),
                server.base_url,
            )
