"""Who is told that a critical model is below its minimum, and that it is back; and how, in each reader's language.

Not here: when, and that nobody is told twice (`routing.bridge.minimums`).
"""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from federation.catalogue.models import AIModel, MinimumServiceAlarm
from federation.fleet.mails import it_department
from federation.fleet.models import Deployment
from federation.members.models import Institution
from federation.members.queries import committee
from federation.people.models import User


def readers_of(model: AIModel) -> list[User]:
    """Return the federation's administrators and the IT departments that run servers of the model, each once."""
    serving = Deployment.objects.live().filter(version__model=model)
    institutions = Institution.objects.filter(pk__in=serving.values("server__site__institution"))
    readers = {reader.pk: reader for reader in committee()}
    for institution in institutions:
        readers |= {reader.pk: reader for reader in it_department(institution)}
    return list(readers.values())


def tell(reader: User, alarm: MinimumServiceAlarm, *, is_over: bool) -> None:
    """Send the mail. Raises `OSError` when it cannot be sent."""
    name = "minimum_returned" if is_over else "minimum_fell"
    context = {
        "alarm": alarm,
        "minimum": alarm.minimum,
        "model": alarm.model,
        "address": settings.PUBLIC_URL + reverse("model", args=[alarm.model.slug]),
    }
    with override(reader.language):
        subject = render_to_string(f"fleet/mail/{name}_subject.txt", context)
        text = render_to_string(f"fleet/mail/{name}.txt", context)
    send_mail(
        settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + " ".join(subject.split()),
        text,
        settings.DEFAULT_FROM_EMAIL,
        [reader.email],
    )
