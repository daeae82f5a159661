"""`manage.py label_site`: which labels a data centre carries, by which requests choose where their data may go."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.fleet.models import Site
from federation.fleet.operations.labels import set_site_labels
from federation.journal.actors import CommandActor
from federation.members.queries import institution_with_slug


class Command(OperatorCommand):
    help = (
        "Say which labels a data centre carries, such as HDS or SecNumCloud, in the place of those that it had. "
        "Keys and requests of such a data class are served there and nowhere else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("site", help="the data centre's name")
        parser.add_argument("labels", nargs="*", metavar="LABEL", help="none: it carries no label")
        parser.add_argument("--institution", required=True, metavar="SLUG", help="whose site it is")

    def handle(self, *args: Any, **options: Any) -> None:
        institution = institution_with_slug(options["institution"])
        site = Site.objects.filter(institution=institution, name=options["site"]).first()
        if site is None:
            names = ", ".join(institution.sites.order_by("name").values_list("name", flat=True))
            raise CommandError(
                f"{institution.name} has no site {options['site']!r}; it has: {names or 'none'}"
            )
        labelled = set_site_labels(
            by=CommandActor("label_site"), site=site, labels=options["labels"]
        )
        told = ", ".join(labelled.labels) or "no label"
        self.stdout.write(f"{labelled.name} ({institution.name}): {told}")
