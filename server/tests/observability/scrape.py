"""What /metrics shows."""

from dataclasses import dataclass

import httpx2
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class Scrape:
    text: str

    @property
    def families(self) -> list[Metric]:
        return list(text_string_to_metric_families(self.text))

    @property
    def ours(self) -> list[Metric]:
        return [family for family in self.families if family.name.startswith("bivelio_")]

    def names(self) -> set[str]:
        """As a query may ask for them."""
        return {family.name + suffix for family in self.families for suffix in _SUFFIXES.get(family.type, ("",))}

    def value(self, name: str, **labels: str) -> float:
        """Of the one sample with these labels; 0 when there is none yet."""
        found = [
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else 0


async def scraped(http: httpx2.AsyncClient) -> Scrape:
    reply = await http.get("/metrics")
    assert reply.status_code == 200, reply.text
    return Scrape(reply.text)


def declared() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Kind, labels and description of all metrics of ours, by the name that a query asks for."""
    metrics = [one for one in REGISTRY._collector_to_names if isinstance(one, MetricWrapperBase)]
    return {
        one._name + ("_total" if one._type == "counter" else ""): (one._type, one._labelnames, one._documentation)
        for one in metrics
        if one._name.startswith("bivelio_")
    }
