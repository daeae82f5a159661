"""Pages of members, candidates and the committee. They fetch, call an operation and render."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest


def tell_refused(request: HttpRequest, refusal: ValidationError) -> None:
    """Say on the next page what was refused, where there is no form to say it in."""
    for text in refusal.messages:
        messages.error(request, text)
