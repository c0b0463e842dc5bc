"""What moved between two scrapes of `/metrics`."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families as families

GROWING = ("counter", "histogram")


class Scrapes:
    """Of one server, as often as it is looked at."""

    def __init__(self, scrape: Callable[[], str]) -> None:
        self._scrape = scrape
        self._seen: list[dict[str, float]] = []
        self._growing: set[str] = set()
        self.look()

    def look(self) -> dict[str, float]:
        """Each family's value now: all series added up, of a histogram how often it was told of something."""
        now: dict[str, float] = {}
        for family in families(self._scrape()):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            now[name] = sum(sample.value for sample in family.samples if _counts(sample.name, family.type))
            self._growing |= {name} if family.type in GROWING else set()
        self._seen.append(now)
        return now

    def moved(self) -> set[str]:
        """What has grown from the first look to the last, and gauges that were not alike at every look."""
        self.look()
        first, last = self._seen[0], self._seen[-1]
        grown = {name for name in self._growing if last.get(name, 0.0) > first.get(name, 0.0)}
        names = {name for seen in self._seen for name in seen} - self._growing
        return grown | {name for name in names if len({seen.get(name, 0.0) for seen in self._seen}) > 1}


def _counts(sample: str, kind: str) -> bool:
    ending = {"counter": "_total", "histogram": "_count"}.get(kind, "")
    return sample.endswith(ending) and not sample.endswith("_created")
