"""What a key is bound to besides models: paths, addresses, and the labels of the sites that may serve it.

Not here: models, classes and modes (`admission`); which sites have the labels (`routing.core.candidates`).
"""

import ipaddress
from functools import lru_cache

from routing.core.labels import MAX_LABELS, data_class, is_label
from routing.core.table import Principal
from routing.gateway.addresses import is_within
from routing.gateway.errors import ApiError, Code
from routing.gateway.paths import model_in
from routing.gateway.settings import IPNetwork

DATA_CLASS = b"x-ilaas-data-class"
"""The header by which a request asks for more labels than its key does."""


def check_address(principal: Principal, address: str) -> None:
    """Raise `ApiError` 403 when the key may not be used from there."""
    if principal.networks and not is_within(address, _parsed(principal.networks)):
        raise ApiError(
            Code.ADDRESS_NOT_ALLOWED, f"This key may not be used from the address {address}"
        )


def check_endpoint(principal: Principal, endpoint: str) -> None:
    """Raise `ApiError` 403 when the key may not ask this path; the list of models is open to every key."""
    allowed = principal.endpoints
    if allowed is None or endpoint in allowed or model_in(endpoint) is not None:
        return
    if not any(endpoint.startswith(f"{each}/") for each in allowed):
        paths = ", ".join(f"/v1/{each}" for each in allowed)
        raise ApiError(
            Code.ENDPOINT_NOT_ALLOWED,
            f"This key may not ask /v1/{endpoint}; it may ask {paths}",
        )


def labels_of(principal: Principal, asked: bytes) -> tuple[str, ...]:
    """Return what every site must carry: the key's labels and those that the header asks for. Raises `ApiError`."""
    if not asked.strip():
        return principal.labels
    try:
        words = [word.strip() for word in asked.decode().split(",")]
    except UnicodeDecodeError:
        words = [""]
    if len(words) > MAX_LABELS or not all(map(is_label, words)):
        name = DATA_CLASS.decode()
        raise ApiError(
            Code.INVALID_FIELD,
            f"Wrong value of the header `{name}`: it takes at most {MAX_LABELS} labels, with commas between them",
            param=name,
        )
    return data_class(principal.labels, words)


@lru_cache(maxsize=10_000)
def _parsed(networks: tuple[str, ...]) -> tuple[IPNetwork, ...]:
    return tuple(map(ipaddress.ip_network, networks))
