"""The wire formats: media type, possible sample rates, and how the codec is set up for speech."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from june_tts.audio.g711 import SAMPLE_RATE
from june_tts.errors import InvalidRequest
from june_tts.types import Format

MIN_RATE = 8_000
"""Hz, for formats that can carry any rate."""
MAX_RATE = 192_000
"""Hz."""

MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True, slots=True)
class Spec:
    """One format. `rates` is empty where any rate from MIN_RATE to MAX_RATE will do."""

    media_type: str
    rates: tuple[int, ...] = ()
    container: str | None = None
    """The muxer of libavformat; None where no codec is needed."""
    codec: str = ""
    sample_format: str = "fltp"
    bits_per_sample: float | None = None
    """Bit rate of a lossy codec, as bits per sample and second; see `bit_rate`."""
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)

    def bit_rate(self, sample_rate: int) -> int | None:
        """Bits per second, from 24 kbit/s (the least that MPEG-2.5 speech needs) to 96 kbit/s."""
        if self.bits_per_sample is None:
            return None
        wanted = self.bits_per_sample * sample_rate
        return next((rate for rate in (24_000, 32_000, 48_000, 64_000) if rate >= wanted), 96_000)


FORMATS: Mapping[Format, Spec] = {
    "wav": Spec("audio/wav"),
    "pcm": Spec("audio/pcm"),
    "mp3": Spec(
        "audio/mpeg",
        rates=MPEG_RATES,
        container="mp3",
        codec="libmp3lame",
        bits_per_sample=2.6,
        # A frame must not borrow bits from later ones, or it would have to wait for them. A Xing header
        # is written by seeking back, which a stream cannot do.
        codec_options={"reservoir": "0"},
        container_options={"write_xing": "0", "id3v2_version": "0"},
    ),
    "opus": Spec(
        "audio/ogg",
        rates=(8000, 12000, 16000, 24000, 48000),
        container="ogg",
        codec="libopus",
        sample_format="flt",
        bits_per_sample=1.3,
        # Complexity 5 takes a third of the default's time and is no worse on speech at this rate.
        codec_options={"frame_duration": "20", "compression_level": "5"},
        # microseconds: one packet a page, where the default holds back a second
        container_options={"page_duration": "20000"},
    ),
    "aac": Spec(
        "audio/aac",
        rates=MPEG_RATES,
        container="adts",
        codec="aac",
        bits_per_sample=2.6,
        # 40 % of the default coder's time for 0.15 dB more spectral distance
        codec_options={"aac_coder": "fast"},
    ),
    "flac": Spec(
        "audio/flac",
        container="flac",
        codec="flac",
        sample_format="s16",
        # level 2 has blocks of 27 ms, the default ones of 105 ms, for 1 % more bytes
        codec_options={"compression_level": "2"},
        container_options={"metadata_header_padding": "0"},
    ),
    # RFC 3551's names; `audio/basic` is the same bytes as PCMU, but there is none for A-law
    "ulaw": Spec("audio/PCMU;rate=8000", rates=(SAMPLE_RATE,)),
    "alaw": Spec("audio/PCMA;rate=8000", rates=(SAMPLE_RATE,)),
}

MEDIA_TYPES: Mapping[Format, str] = {name: spec.media_type for name, spec in FORMATS.items()}


def pick_rate(name: Format, source_rate: int, wanted: int | None) -> int:
    """The rate to encode at in Hz: the one wanted, or the nearest that loses nothing of the source.

    Raises:
        InvalidRequest: there is no such format, or it cannot have the wanted rate.
    """
    if name not in FORMATS:
        raise InvalidRequest(f"format {name!r}: expected one of {', '.join(FORMATS)}", param="format")
    rates = FORMATS[name].rates
    if wanted is None:
        if not rates:
            return min(max(source_rate, MIN_RATE), MAX_RATE)
        return next((rate for rate in rates if rate >= source_rate), rates[-1])
    if wanted in rates or (not rates and MIN_RATE <= wanted <= MAX_RATE):
        return wanted
    possible = ", ".join(map(str, rates)) if rates else f"{MIN_RATE} to {MAX_RATE}"
    raise InvalidRequest(f"sample_rate {wanted}: {name} can have {possible} Hz", param="sample_rate")
