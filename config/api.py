"""The portal's JSON interface, `/manage/api`: its parts are the rooms'; `openapi.json` there describes it.

What is refused has its reason, and a code that stays the same whatever the language: `{"detail": …, "code": …}`.
"""

from http import HTTPStatus

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import ValidationError as UnreadableError

from dashboards.api.jobs import router as jobs
from dashboards.api.usage import router as usage

CONFLICTS = frozenset({"held", "out_of_service", "past", "forbidden_transition"})
"""Codes of what is refused now and may be taken at another moment."""
GONE = frozenset({"over"})

api = NinjaAPI(
    title="ILaaS",
    version="1",
    description="What a key has used; and for jobs of a cluster, the server that they are.",
    docs_url=None,  # its page would load scripts from elsewhere
    urls_namespace="manage",
)
api.add_router("/usage", usage)
api.add_router("/lease", jobs)


@api.exception_handler(ValidationError)
def refused(request: HttpRequest, refusal: ValidationError) -> HttpResponse:
    """An operation has refused: the same words as on its page."""
    code = _code(refusal)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if code in CONFLICTS:
        status = HTTPStatus.CONFLICT
    elif code in GONE:
        status = HTTPStatus.GONE
    told: dict[str, object] = {"detail": " ".join(refusal.messages), "code": code}
    if hasattr(refusal, "error_dict"):
        told["fields"] = [name for name in refusal.error_dict if name != NON_FIELD_ERRORS]
    return api.create_response(request, told, status=status)


@api.exception_handler(PermissionDenied)
def denied(request: HttpRequest, refusal: PermissionDenied) -> HttpResponse:
    told = {"detail": str(refusal) or _("You may not do this."), "code": "denied"}
    return api.create_response(request, told, status=HTTPStatus.FORBIDDEN)


@api.exception_handler(UnreadableError)
def unreadable(request: HttpRequest, refusal: UnreadableError) -> HttpResponse:
    """What was sent is not what the description says; nothing of it is repeated."""
    fields = sorted({".".join(map(str, each["loc"][1:])) or "body" for each in refusal.errors})
    told = {
        "detail": _("This cannot be read: %(fields)s. The description: /manage/api/openapi.json.")
        % {"fields": ", ".join(fields)},
        "code": "unreadable",
        "fields": fields,
    }
    return api.create_response(request, told, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _code(refusal: ValidationError) -> str:
    if hasattr(refusal, "error_dict"):
        return next(
            (each.code for errors in refusal.error_dict.values() for each in errors if each.code),
            "invalid",
        )
    return next((each.code for each in refusal.error_list if each.code), "invalid")
