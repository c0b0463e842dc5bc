"""Who is let in, and who has had enough."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class AccessMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.failures = Counter(
            "tts_auth_failures", "Requests refused for their API key, by reason", ["reason"], registry=r
        )
        self.limited = Counter(
            "tts_rate_limited", "Requests refused for a rate or quota, by which", ["limit"], registry=r
        )
        self._keys = Gauge("tts_keys", "API keys in memory, revoked ones included", registry=r)

    def watch_keys(self, count: Callable[[], float]) -> None:
        """Read the number of keys at every scrape."""
        self._keys.set_function(count)
