"""`/doctor/`: anybody pastes a key and reads what is right and what is wrong with it. It is neither kept nor shown."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dashboards.doctor import Examination, examine
from dashboards.views.limits import what_is_left
from federation.access.models import Limit
from federation.access.snippets import base_url
from federation.people.throttle import SECONDS, client_address, may_go_on
from routing.core.keys import MAX_KEY_LENGTH

ACTION = "doctor"


class DoctorForm(forms.Form):
    key = forms.CharField(
        max_length=2 * MAX_KEY_LENGTH,
        label=gettext_lazy("Key"),
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"}
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("key")
def doctor(request: HttpRequest) -> HttpResponse:
    """The form; its answer is the part below it when the page asks for that alone."""
    if request.method != "POST":
        return render(request, "dashboards/doctor.html", {"form": DoctorForm()})
    if not may_go_on(request, ACTION):
        response = _answer(request, {"form": DoctorForm(), "busy": True})
        response.headers["Retry-After"] = str(SECONDS)
        if not _asks_for_a_part(request):  # of which a browser shows nothing that is no success
            response.status_code = 429
        return response
    form = DoctorForm(request.POST)
    if not form.is_valid():
        return _answer(request, {"form": form})
    found = examine(form.cleaned_data["key"], client_address(request))
    return _answer(request, {"form": DoctorForm(), "found": found, **_limits(found)})


def _answer(request: HttpRequest, context: dict[str, object]) -> HttpResponse:
    is_part = _asks_for_a_part(request)
    template = "dashboards/_doctor_findings.html" if is_part else "dashboards/doctor.html"
    return render(request, template, {"is_part": is_part, "base_url": base_url(), **context})


def _asks_for_a_part(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _limits(found: Examination) -> dict[str, object]:
    """What bounds the key, whoever's limit it is: the router tells it to whoever uses the key, too."""
    return what_is_left(found.key, Limit.objects.all()) if found.key else {}
