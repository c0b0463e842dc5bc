"""The servers that can be driven, and how each of them is asked to speak."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from june_tts.errors import InvalidRequest
from june_tts.load.wav import AudioCounter, PcmCounter, WavCounter

Api = Literal["openai", "fish", "piper"]
Format = Literal["pcm", "wav"]

_PATHS: Mapping[Api, str] = {"openai": "/v1/audio/speech", "fish": "/v1/tts", "piper": "/synthesize"}
_FORMATS: Mapping[Api, tuple[Format, ...]] = {
    "openai": ("pcm", "wav"), "fish": ("wav", "pcm"), "piper": ("wav",),
}  # fmt: skip
"""The first one is the default."""
_PCM_RATES: Mapping[Api, int] = {"openai": 24_000, "fish": 44_100}


@dataclass(frozen=True, slots=True)
class Target:
    """One server and the voice to ask it for.

    Raises:
        InvalidRequest: naming the field that this API cannot take.
    """

    url: str
    """With or without a trailing `/v1`."""
    api: Api = "openai"
    voice: str | None = None
    """OpenAI's `voice` (default `alloy`), Fish's `reference_id`, the name of one of Piper's voices."""
    model: str | None = None
    """OpenAI's `model` (default `tts-1`), Fish's `model` header."""
    format: Format | None = None
    """None: what the API streams best."""
    pcm_rate: int | None = None
    """Hz of headerless audio; None: what the API documents. Fish is asked for it as well."""
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise InvalidRequest(f"url {self.url!r}: expected http://HOST[:PORT]", param="url")
        if self.format is not None and self.format not in _FORMATS[self.api]:
            expected = " or ".join(_FORMATS[self.api])
            raise InvalidRequest(
                f"format {self.format!r}: the {self.api} API is measured with {expected}", param="format"
            )
        if self.api == "piper" and self.model is not None:
            raise InvalidRequest(
                f"model {self.model!r}: piper's server chooses by voice alone", param="model"
            )
        if self.pcm_rate is not None and self.wire_format != "pcm":
            raise InvalidRequest(
                f"pcm_rate {self.pcm_rate}: only with format pcm, a WAV names its own rate", param="pcm_rate"
            )
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise InvalidRequest("api_key: expected printable ASCII", param="api_key")

    @property
    def wire_format(self) -> Format:
        return self.format or _FORMATS[self.api][0]

    @property
    def endpoint(self) -> str:
        base = self.url.rstrip("/")
        return (base if self.api == "piper" else base.removesuffix("/v1")) + _PATHS[self.api]

    def headers(self) -> dict[str, str]:
        # compressed audio would make its bytes mean nothing
        found = {"accept-encoding": "identity"}
        if self.api_key is not None:
            found["authorization"] = f"Bearer {self.api_key}"
        if self.api == "fish" and self.model is not None:
            found["model"] = self.model
        return found

    def body(self, text: str) -> dict[str, Any]:
        """The JSON that asks for `text`."""
        if self.api == "openai":
            return self._openai(text)
        if self.api == "fish":
            return self._fish(text)
        return {"text": text} | ({"voice": self.voice} if self.voice else {})

    def counter(self) -> AudioCounter:
        """A new counter for one answer."""
        if self.wire_format == "wav":
            return WavCounter()
        return PcmCounter(self.pcm_rate or _PCM_RATES[self.api])

    def _openai(self, text: str) -> dict[str, Any]:
        return {
            "input": text,
            "model": self.model or "tts-1",
            "voice": self.voice or "alloy",
            "response_format": self.wire_format,
            "stream_format": "audio",
        }

    def _fish(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = {"text": text, "format": self.wire_format, "streaming": True}
        if self.voice:
            body["reference_id"] = self.voice
        if self.pcm_rate:
            body["sample_rate"] = self.pcm_rate
        return body


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
