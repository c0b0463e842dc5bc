"""What a voice is asked for, and where; checked when it is given, not at the first word."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_BASE_URL = "http://127.0.0.1:8000"
SAMPLE_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz, of those that the server's socket can be asked for."""
SLOWEST, FASTEST = 0.25, 4.0


@dataclass(frozen=True)
class Options:
    """Replaced as a whole where `update_options` changes one: a stream keeps those it began with."""

    base_url: str
    api_key: str | None = field(repr=False)
    voice_id: str
    language: str | None
    """BCP 47; None: the voice's own."""
    speed: float
    """Tempo factor; 2.0 is twice as fast."""
    sample_rate: int
    """Hz."""

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.netloc or address.query or address.fragment:
            raise ValueError(f"base_url is {self.base_url!r}: expected an address such as {DEFAULT_BASE_URL}")
        if not self.voice_id:
            raise ValueError("voice_id is empty: expected a voice's id, or `default`")
        if not SLOWEST <= self.speed <= FASTEST:
            raise ValueError(f"speed is {self.speed}: expected {SLOWEST} to {FASTEST}")
        if self.sample_rate not in SAMPLE_RATES:
            rates = ", ".join(map(str, SAMPLE_RATES))
            raise ValueError(f"sample_rate is {self.sample_rate}: expected one of {rates}")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path
