"""Acts about whom the federation believes about people."""

from federation.identity import operations as identity
from federation.identity.models import MetadataSource, SignInService
from federation.identity.operations import OidcFacts
from routing.upstream.credentials import Secret
from tests.integration.federation.acts.who import ADMIN, RENNES_DSI, Acts
from tests.integration.federation.world import World
from tests.support.saml import Signer

FACTS = OidcFacts("https://login.example.org", "Login", "ilaas", Secret("a secret"))


def _oidc_service(world: World) -> SignInService:
    return SignInService.objects.create(
        protocol="oidc", service_id="https://old.example.org", slug="old", client_id="ilaas"
    )


def _source(world: World) -> MetadataSource:
    source = world.service.source
    assert source is not None
    return source


def _away(world: World) -> MetadataSource:
    """Return a source whose file is away: it is read, and the refusal is told."""
    source = _source(world)
    MetadataSource.objects.filter(pk=source.pk).update(url="file:/nothing/here")
    source.refresh_from_db()
    return source


ACTS: Acts = {
    "add_source": (
        ADMIN,
        lambda w, by: identity.add_source(
            by=by,
            name="eduGAIN",
            url="https://mds.example.org/all",
            certificate=Signer.new("eduGAIN").certificate,
        ),
    ),
    "refresh_source": (ADMIN, lambda w, by: identity.refresh_source(by=by, source=_away(w))),
    "refresh_all": (
        ADMIN,
        lambda w, by: identity.refresh_all(by=by, sources=[_away(w)]),
    ),
    "end_source": (ADMIN, lambda w, by: identity.end_source(by=by, source=_source(w))),
    "add_oidc_service": (
        ADMIN,
        lambda w, by: identity.add_oidc_service(by=by, slug="login", facts=FACTS),
    ),
    "end_service": (ADMIN, lambda w, by: identity.end_service(by=by, service=_oidc_service(w))),
    "link_service": (
        ADMIN,
        lambda w, by: identity.link_service(by=by, service=w.service, institution=None),
    ),
    "open_to_students": (
        RENNES_DSI,
        lambda w, by: identity.open_to_students(by=by, service=w.service, is_open=True),
    ),
}
