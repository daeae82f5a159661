"""What a site is certified for: the labels by which requests choose where their data may go."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.fleet import policies
from federation.fleet.models import Site
from federation.journal.actors import Actor
from federation.journal.operations import record
from routing.core.labels import MAX_LABELS, OWN, is_label, normal


@transaction.atomic
def set_site_labels(*, by: Actor, site: Site, labels: Sequence[str]) -> Site:
    """Say anew which labels a site carries, such as HDS; routers go by them within a second.

    The federation says so, as it has seen the certificate. Raises `ValidationError` on what is no label.
    """
    policies.check_label_site(by)
    locked = Site.objects.select_for_update().get(pk=site.pk)
    words = list({normal(label): " ".join(label.split()) for label in labels}.values())
    for word in words:
        if not is_label(word) or normal(word) == OWN:
            raise ValidationError(
                _("“%(label)s” is not a label such as HDS or SecNumCloud."),
                params={"label": word[:80]},
            )
    if len(words) > MAX_LABELS:
        raise ValidationError(_("At most %(count)s labels."), params={"count": MAX_LABELS})
    before, locked.labels = locked.labels, words
    locked.full_clean()
    locked.save(update_fields=["labels"])
    record(
        by=by,
        verb="fleet.set_site_labels",
        obj=locked,
        institution=locked.institution,
        diff={"labels": [before, words]},
    )
    return locked
