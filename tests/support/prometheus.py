"""How tests read `/metrics`: with Prometheus' own client, and which names its queries use."""

import re
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

_NAMES = re.compile(r"\b(?:ilaas|process)_[a-z_]+\b")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


class Scraped:
    """What a text says. Two samples with the same labels are an error, as they are for Prometheus."""

    def __init__(self, text: str) -> None:
        self.kinds: dict[str, str] = {}
        self.samples: Samples = {}
        for family in text_string_to_metric_families(text):
            assert family.documentation, family.name
            self.kinds[family.name] = family.type
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, key
                self.samples[key] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value; `class_` stands for the label `class`."""
        named = {key.removesuffix("_"): value for key, value in labels.items()}
        return self.samples.get((name, frozenset(named.items())))

    def buckets(self, name: str, **labels: str) -> list[float]:
        """Return a histogram's cumulative counts in the order of their bounds."""
        named = {(key.removesuffix("_"), value) for key, value in labels.items()}
        found: dict[float, float] = {}
        for (sample, pairs), count in self.samples.items():
            if sample == f"{name}_bucket" and named <= pairs:
                found[float(dict(pairs)["le"])] = count
        return [found[bound] for bound in sorted(found)]

    @property
    def series(self) -> set[str]:
        """Return every name that a query may use, also of what has no sample yet."""
        names: set[str] = set()
        for name, kind in self.kinds.items():
            match kind:
                case "histogram":
                    names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
                case "counter":
                    names.add(f"{name}_total")
                case _:
                    names.add(name)
        return names


def names_in(queries: Any) -> set[str]:
    """Return the metrics that any text inside `queries` names."""
    match queries:
        case str():
            return set(_NAMES.findall(queries))
        case dict():
            return names_in(list(queries.values()))
        case list():
            return {name for each in queries for name in names_in(each)}
    return set()
