"""ElevenLabs' `output_format`: `codec_rate` or `codec_rate_kbit`, such as `pcm_24000` or `mp3_44100_128`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import MEDIA_TYPES
from june_tts.errors import InvalidRequest, shown
from june_tts.service.coding import Coding, encoded, named
from june_tts.types import Format

DEFAULT = "mp3_44100_128"
_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True, slots=True)
class Output:
    """What the audio of a reply is encoded as."""

    format: Format
    sample_rate: int
    """Hz."""
    bit_rate: int | None = None
    """Bits per second of a lossy codec; None where the encoder chooses, or there is nothing to choose."""

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.format]

    @property
    def coding(self) -> Coding:
        """What `encoder` does, by name."""
        return Coding(named(self.format, self.sample_rate, self.bit_rate), encoded(self.encoder))

    def encoder(self, source_rate: int) -> Encoder:
        """An encoder for speech at `source_rate` Hz."""
        return open_encoder(self.format, source_rate, self.sample_rate, self.bit_rate)


def _outputs() -> Mapping[str, Output]:
    found = {f"pcm_{rate}": Output("pcm", rate) for rate in _RATES}
    found |= {f"wav_{rate}": Output("wav", rate) for rate in _RATES}
    # without a bit rate: what older clients send
    found["mp3_44100"] = Output("mp3", 44_100)
    for rate, kbits in ((22_050, (32,)), (24_000, (48,)), (44_100, (32, 64, 96, 128, 192))):
        found |= {f"mp3_{rate}_{kbit}": Output("mp3", rate, kbit * 1000) for kbit in kbits}
    found |= {f"opus_48000_{k}": Output("opus", 48_000, k * 1000) for k in (32, 64, 96, 128, 192)}
    found |= {"ulaw_8000": Output("ulaw", 8_000), "alaw_8000": Output("alaw", 8_000)}
    return MappingProxyType(found)


OUTPUTS = _outputs()
"""Every name that ElevenLabs' API has."""


def output(name: str) -> Output:
    """The output of that name. Raises: InvalidRequest, with those that there are."""
    found = OUTPUTS.get(name)
    if found is None:
        raise InvalidRequest(
            f"output_format is {shown(name)}: expected one of {', '.join(OUTPUTS)}", param="output_format"
        )
    return found
