"""Published texts: every version to read for the federation, a new one to publish for its administrators."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.members.enums import TextKind
from federation.members.forms import tell_refusal
from federation.members.forms.committee import TextForm
from federation.members.markup import FACTS
from federation.members.models import TextVersion
from federation.members.operations.texts import publish_text
from federation.members.policies import can_decide, check_publish_text
from federation.members.queries import current_text
from federation.people.guards import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def text(request: HttpRequest, kind: TextKind) -> HttpResponse:
    user, current = signed_in(request), current_text(kind)
    if not user.sees_everything:
        raise PermissionDenied
    initial = {"text_fr": current.text_fr, "text_en": current.text_en, "seen": current.number}
    form = TextForm(request.POST or None, initial=initial)
    if request.method == "POST":
        check_publish_text(user)
        if form.is_valid() and (made := _publish(request, kind, form)):
            text = _("Version %(number)s is in force.") % {"number": made.number}
            messages.success(request, text)
            return redirect("published_text", kind)
    context = {
        "kind": kind,
        "current": current,
        "form": form,
        "facts": sorted(FACTS[kind]),
        "may_publish": can_decide(user),
        "versions": TextVersion.objects.for_user(user).filter(kind=kind).order_by("-number"),
    }
    return render(request, "members/text.html", context)


def _publish(request: HttpRequest, kind: TextKind, form: TextForm) -> TextVersion | None:
    """Publish. None, with the reason in the form and the version that is in force by now, when it is refused."""
    given = form.cleaned_data
    try:
        return publish_text(
            by=signed_in(request),
            kind=kind,
            text_fr=given["text_fr"],
            text_en=given["text_en"],
            seen=given["seen"],
        )
    except ValidationError as refusal:
        tell_refusal(form, refusal)
        form.data = {**form.data.dict(), "seen": current_text(kind).number}  # type: ignore[attr-defined]
    return None
