"""The process behind a server's address, to watch it or to kill it."""

import psutil


def process_of(address: str) -> psutil.Process:
    port = int(address.rsplit(":", 1)[1])
    for child in psutil.Process().children(recursive=True):
        for connection in child.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return child
    raise AssertionError(f"no child of this process listens on {address}")


def gauge(metrics: str, name: str) -> float:
    """The value of a metric in Prometheus's text, with or without labels; all series added up."""
    found = [
        line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
    ]
    assert found, f"there is no {name}"
    return sum(float(value) for _, value in found)
