"""What the server leans on: Redis and the database."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class LinkMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.redis_errors = Counter(
            "tts_redis_errors",
            "Calls to Redis without an answer: away, refused, skipped",
            ["kind"],
            registry=r,
        )
        self.openings = Counter(
            "tts_breaker_openings", "Times that a part was given up for away", ["part"], registry=r
        )
        self._redis_up = Gauge("tts_redis_up", "1 while Redis answers; 0 also where none is set", registry=r)
        self._redis_calls = Gauge("tts_redis_calls", "Calls to Redis under way", registry=r)

    def watch_redis(self, up: Callable[[], float], calls: Callable[[], float]) -> None:
        """Read both at every scrape."""
        self._redis_up.set_function(up)
        self._redis_calls.set_function(calls)
