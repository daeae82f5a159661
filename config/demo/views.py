"""The demonstration's letter box and one-time codes: whoever tries it has neither its mailboxes nor its telephones."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.demo.codes import codes_now
from config.demo.mailbox import latest


@require_safe
@never_cache
def mail(request: HttpRequest) -> HttpResponse:
    """Everything that was sent, to anybody: under `make run` only, where every account is invented."""
    if not settings.SHOWS_MAIL:
        raise Http404
    return render(request, "demo/mail.html", {"mails": latest(Path(settings.EMAIL_FILE_PATH))})


@require_safe
@never_cache
def codes(request: HttpRequest) -> HttpResponse:
    """What the accounts with a second factor type now, to anybody: under `make run` only, as above."""
    if not settings.SHOWS_MAIL:
        raise Http404
    return render(request, "demo/codes.html", {"codes": list(codes_now())})
