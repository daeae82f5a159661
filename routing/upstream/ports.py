"""Which ports a public address may have: those on which inference servers and their proxies listen."""

LISTED_PORTS = "443, 3000, 4000, 8000-8099, 8443, 9443, 11434, 23333, 30000"
"""https and its usual others, and what engines listen on by default: TGI, LiteLLM, vLLM and llama.cpp (8000, 8080),
Ollama, LMDeploy, SGLang. Nothing that serves mail, files, shells or databases."""


def read_ports(text: str) -> frozenset[int]:
    """Return the ports in a text such as `443, 8000-8099`. Raises `ValueError`."""
    ports: set[int] = set()
    for word in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = (part.strip() for part in word.partition("-"))
        ports.update(range(_port(first), _port(last if dash else first) + 1))
    if not ports:
        raise ValueError("no port is named")
    return frozenset(ports)


def written(ports: frozenset[int]) -> str:
    """Return ports as `read_ports` reads them, neighbours as a range."""
    runs: list[list[int]] = []
    for port in sorted(ports):
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= port <= 65535:
        raise ValueError(f"{text!r} is no port")
    return port


DEFAULT = read_ports(LISTED_PORTS)
