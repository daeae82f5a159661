"""A federation of a few providers, read into the register; the known cast."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from federation.identity.models import MetadataSource, SignInService
from federation.identity.operations import add_source, link_service, refresh_source
from tests.support.factories import OPERATOR, Cast
from tests.support.kept import Kept
from tests.support.pages import plain_static
from tests.support.saml import Asked, Idp, Signer, aggregate, asked_in, packed, write

__all__ = ["plain_static"]
RENNES = "univ-rennes.fr"


class Federation:
    """Signs the metadata of its providers into a file that the register reads."""

    def __init__(self, folder: Path) -> None:
        self.signer = Signer.new("federation")
        self.path = folder / "metadata.xml"
        self.rennes = Idp(RENNES, "Université de Rennes")
        self.reims = Idp("univ-reims.fr", "Université de Reims")
        self.idps = [self.rennes, self.reims]
        self.publish()
        self.source = add_source(
            by=OPERATOR,
            name="Fédération",
            url=f"file:{self.path}",
            certificate=self.signer.certificate,
        )

    def publish(self) -> None:
        write(aggregate(self.idps, self.signer), self.path)

    def read(self) -> MetadataSource:
        self.source = refresh_source(by=OPERATOR, source=self.source)
        return self.source


class Browser:
    """Somebody who signs in: to a provider and back with its answer."""

    def __init__(self) -> None:
        self.client = Client(headers={"host": "testserver"})

    def go(self, idp: Idp, then: str = "") -> Asked:
        asked = {"idp": idp.entity_id, **({"next": then} if then else {})}
        answer = self.client.get("/account/saml/fer/login/", asked)
        assert answer.status_code == 302, answer.content
        return asked_in(answer["location"])

    def come_back(self, response: str) -> int:
        """Post an answer as the provider's page does; return how it ended."""
        sent = self.client.post("/account/saml/fer/acs/", {"SAMLResponse": response})
        assert sent.status_code == 302
        self.last = self.client.get(sent["location"])
        return self.last.status_code

    def sign_in(self, idp: Idp, who: str, **told: str) -> int:
        asked = self.go(idp)
        return self.come_back(packed(idp.response(asked, idp.attributes(who, **told))))

    @property
    def user_id(self) -> str | None:
        return self.client.session.get("_auth_user_id")


@pytest.fixture
def cast(db: None, plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def federation(cast: Cast, tmp_path: Path) -> Federation:
    found = Federation(tmp_path)
    assert not found.read().failure
    service = SignInService.objects.get(service_id=found.rennes.entity_id)
    link_service(by=OPERATOR, service=service, institution=cast.rennes)
    return found


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def new_browser() -> Callable[[], Browser]:
    return Browser
