"""What comes in by HTTP and WebSocket, and how it is answered."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0)


class HttpMetrics:
    """`api` is the file that has the route, and `format` one of ours: neither comes from a caller."""

    def __init__(self, r: CollectorRegistry) -> None:
        self.requests = Counter(
            "tts_http_requests", "Requests and handshakes answered", ["api", "status"], registry=r
        )
        self.first_byte = Histogram(
            "tts_http_first_byte_seconds",
            "From the head of a request to the head of its reply, with which first audio goes",
            ["api", "format"],
            buckets=SECONDS_BUCKETS,
            registry=r,
        )
        self.sockets = Gauge("tts_sockets", "WebSockets open", ["api"], registry=r)
