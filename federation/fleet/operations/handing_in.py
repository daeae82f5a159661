"""What a technical form must hold when it is handed in, and the secrets that its draft has kept until then."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.fleet.certificates import Shown, read_identity
from federation.fleet.models import TechnicalForm
from federation.fleet.operations.credentials import encryption_keys
from federation.fleet.operations.servers import canonical_url
from federation.fleet.queries import granted_networks
from federation.fleet.report_words import REASONS
from routing.upstream.addresses import canonical, reason_against
from routing.upstream.credentials import Secret, UnsealError, unseal
from routing.upstream.egress import Target, parse_base_url
from routing.upstream.errors import GRANTABLE
from routing.upstream.ports import written


def check_whole(form: TechnicalForm) -> None:
    """Raise `ValidationError` unless everything is there that a server needs."""
    missing = {
        name: _("This is needed.")
        for name in ("server_name", "engine", "base_url", "served_name", "modalities")
        if not getattr(form, name)
    }
    if form.model is None and not form.proposed_model:
        missing["model"] = _("Choose a model, or propose one.")
    if form.site is None and not form.site_name:
        missing["site"] = _("Choose a site, or name a new one.")
    if form.reserved_share and form.max_parallel is None:
        missing["max_parallel"] = _("A share can be reserved only of a number of requests at once.")
    if missing:
        raise ValidationError(missing)
    form.base_url = canonical_url(form.base_url)
    target = parse_base_url(form.base_url)
    _check_address(target)
    _check_port(form, target)


def _check_address(target: Target) -> None:
    """Raise `ValidationError` on an address, written as one, to which nobody can give leave."""
    try:
        reason = reason_against(canonical(target.host))
    except ValueError:
        return  # a name: what it leads to is seen by the router, whose DNS counts
    if reason is not None and reason not in GRANTABLE:
        told = _(
            "The router never connects to %(address)s: %(reason)s. Give your server’s own address."
        )
        raise ValidationError(
            {"base_url": told % {"address": target.host, "reason": REASONS[reason]}}
        )


def _check_port(form: TechnicalForm, target: Target) -> None:
    """Raise `ValidationError` on a port on which nobody is reached; an address in the clear needs leave anyway."""
    granted = [port for _, port in granted_networks(form.site)] if form.site else []
    if form.server is not None:
        granted += form.server.egress_grants.in_force().values_list("port", flat=True)
    if target.tls and target.port not in settings.EGRESS_PORTS and target.port not in granted:
        raise ValidationError(
            {
                "base_url": _(
                    "Servers are not reached on port %(port)s. Have yours listen on one of %(ports)s; for a "
                    "private network, ask for leave under “Networks” first; otherwise ask the federation."
                )
                % {"port": target.port, "ports": written(settings.EGRESS_PORTS)}
            }
        )


def draft_certificate(form: TechnicalForm) -> Shown | None:
    if not form.sealed_client_key:
        return None
    try:
        key = unseal(str(form.pk), form.sealed_client_key, encryption_keys())
    except UnsealError:
        raise ValidationError(
            {"client_key": _("The certificate’s key cannot be read any more: paste it again.")}
        ) from None
    return read_identity(form.client_chain, key.reveal())


def draft_key(form: TechnicalForm) -> Secret | None:
    if not form.sealed_key:
        return None
    try:
        return unseal(str(form.pk), form.sealed_key, encryption_keys())
    except UnsealError:
        raise ValidationError(
            {"key": _("The access key cannot be read any more: type it again.")}
        ) from None
