"""The portal's addresses as its resolver knows them, for sweeps in which no page may be forgotten."""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

ADMIN = "admin"
"""Of Django's own pages, which have sweeps of their own: `test_admin`."""


class Route(NamedTuple):
    """`parameters` are the names of what an address holds."""

    name: str
    parameters: frozenset[str]


def routes() -> dict[str, Route]:
    """Return every named route but the admin's."""
    return {route.name: route for route in _walk(get_resolver().url_patterns)}


def _walk(
    patterns: "list[URLPattern | URLResolver]",
    before: frozenset[str] = frozenset(),
    space: str = "",
) -> Iterator[Route]:
    for pattern in patterns:
        parameters = before | _parameters(pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != ADMIN:
                inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
                yield from _walk(pattern.url_patterns, parameters, inner)
        elif pattern.name:
            yield Route(f"{space}{pattern.name}", parameters)
        else:
            raise AssertionError(f"{pattern} has no name: no sweep finds it")


def _parameters(pattern: "URLPattern | URLResolver") -> frozenset[str]:
    if isinstance(pattern.pattern, RoutePattern):
        return frozenset(pattern.pattern.converters)
    return frozenset(pattern.pattern.regex.groupindex)
