"""The demonstration's letter box: it has no other, and whoever tries a sign-up must read the code somewhere."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.demo.mailbox import latest


@require_safe
@never_cache
def mail(request: HttpRequest) -> HttpResponse:
    """Everything that was sent, to anybody: under `make run` only, where every account is invented."""
    if not settings.SHOWS_MAIL:
        raise Http404
    return render(request, "demo/mail.html", {"mails": latest(Path(settings.EMAIL_FILE_PATH))})
