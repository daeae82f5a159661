"""Nothing leaves but by the egress guard: whoever opens a connection elsewhere in the product shows here."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("billing", "config", "dashboards", "federation", "routing")
OPENERS = frozenset(
    {
        *("httpx.AsyncClient", "httpx.Client", "httpx.AsyncHTTPTransport", "httpx.HTTPTransport"),
        *("httpx.get", "httpx.post", "httpx.put", "httpx.request", "httpx.stream"),
        *("urllib.request.urlopen", "urllib.request.build_opener", "http.client.HTTPConnection"),
        *("http.client.HTTPSConnection", "socket.create_connection", "asyncio.open_connection"),
        *("requests.get", "requests.post", "requests.Session", "aiohttp.ClientSession"),
    }
)
METHODS = frozenset({"create_connection", "sock_connect", "connect_ex", "urlopen"})
"""Of a loop, a socket or an opener, whatever it is called."""
ALLOWED = {
    "routing/upstream/opening.py": "the relay's connections, to addresses that the guard has checked",
    "routing/upstream/guarded.py": "httpx behind the guard",
    "routing/shadow/asking.py": "a tool: an operator types both entry points, no member does",
    "config/launch/commands.py": "whether the product's own port answers",
}


def test_only_these_files_open_connections() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if opens(path)
    }

    assert found == set(ALLOWED)


def opens(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    return any(_is_opener(call) for call in ast.walk(tree) if isinstance(call, ast.Call))


def _is_opener(call: ast.Call) -> bool:
    name = ".".join(_parts(call.func))
    return name in OPENERS or name.rpartition(".")[2] in METHODS


def _parts(node: ast.expr) -> Iterator[str]:
    """Yield the words of `a.b.c`; what comes before a call or an index stays out."""
    if isinstance(node, ast.Attribute):
        yield from _parts(node.value)
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
