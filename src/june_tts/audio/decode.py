"""An uploaded recording, decoded in memory with limits on everything that its bytes may claim.

The bytes come from strangers: see `sniff.py` for what never reaches libav. Only the decoders of the promised
formats are allowed, nothing that the bytes name is opened, and decoding stops once it has gone on too long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Never

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from june_tts.audio.cutoff import is_mp3_frame, is_short_mp3_frame, is_short_ogg
from june_tts.audio.pcm import clean
from june_tts.audio.sniff import container_of, mp4_overclaims, strip_id3
from june_tts.audio.wav import find_data
from june_tts.errors import InvalidRecording
from june_tts.types import Samples

EXPECTED = "expected a recording as WAV, MP3, FLAC, M4A, AAC, OGG or WebM"

DEMUXERS = {
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "aac": "aac",
    "ogg": "ogg",
    "m4a": "mov",
    "webm": "matroska",
}
"""libav's name for the demuxer of each container."""

DECODERS = (
    *("aac", "alac", "flac", "mp3", "mp3float", "opus", "libopus", "vorbis"),
    *("pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be"),
)

MIN_RATE = 4_000
MAX_RATE = 192_000
"""Hz: outside of this a header is taken to be damaged."""
MAX_CHANNELS = 8

MISSING_SHARE = 0.05
"""A recording that decodes to this much less than its header states is taken to be cut off."""
PADDING_SECONDS = 0.1
"""What codecs add in front and behind; neither counted as too long nor as missing."""

GUESSED_DURATION = ("mp3", "aac")
"""Formats whose stated duration may be libav's guess from the first frames' bit rate, so that it is no
reason to refuse before decoding."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A whole recording, mixed down to mono at its own rate."""

    samples: Samples
    sample_rate: int
    channels: int
    """Before the mix."""
    format: str
    """The container: wav, mp3, flac, aac, m4a, ogg or webm."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples.size / self.sample_rate


def decode(data: bytes, *, max_seconds: float) -> Decoded:
    """The recording in `data`; blocks for about a hundredth of its duration.

    Raises:
        InvalidRecording: it is no recording, is damaged or cut off, or lasts longer than `max_seconds`. Of a
            longer one no more than `max_seconds` are decoded.
    """
    if not data:
        refuse(f"it has 0 bytes: {EXPECTED}")
    data = strip_id3(data)
    name = container_of(data)
    if name is None:
        refuse(f"{_found(data)}: {EXPECTED}")
    data, stated = _check_claims(name, data)
    try:
        with _open(name, data) as container:
            return _decode(container, name, stated, max_seconds)
    except (av.FFmpegError, ValueError, MemoryError, OverflowError) as bad:
        raise InvalidRecording(
            f"file: it is damaged or cut off: {len(data)} bytes of {name} cannot be read", param="file"
        ) from bad


def _check_claims(name: str, data: bytes) -> tuple[bytes, float | None]:
    """The bytes to decode, and the duration that a WAV header states."""
    if name == "m4a" and mp4_overclaims(data):
        refuse("it is damaged or cut off: its MP4 header claims more than there is")
    if name == "ogg" and is_short_ogg(data):
        refuse("it is cut off: its last page is not complete")
    if name != "wav":
        return data, None
    found = find_data(data)
    if found is None:
        refuse("it is damaged or cut off: its WAV header leads to no samples")
    # what follows the samples is of no use, and libav would read it
    return data[: found.end], found.stated_seconds


def refuse(reason: str) -> Never:
    """Raises: InvalidRecording naming the field, with the reason."""
    raise InvalidRecording(f"file: {reason}", param="file")


def _open(name: str, data: bytes) -> InputContainer:
    options = {
        "format_whitelist": ",".join(DEMUXERS.values()),
        "codec_whitelist": ",".join(DECODERS),
        "protocol_whitelist": "",
    }
    return av.open(
        BytesIO(data),
        "r",
        format=DEMUXERS[name],
        container_options=options,
        metadata_errors="replace",
        io_open=_open_nothing,
    )


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> Never:
    """Called where a container points to another file: the second lock behind the allow-list."""
    raise ValueError("the recording refers to another file")


def _decode(container: InputContainer, name: str, stated: float | None, max_seconds: float) -> Decoded:
    if not container.streams.audio:
        refuse(f"its {name} container has no audio in it: {EXPECTED}")
    # nothing in an AAC stream states its length: there it is always a guess, and no sign of a cut
    if container.duration is not None and name not in ("wav", "aac"):
        stated = container.duration / av.time_base
    if stated is not None and stated > max_seconds + PADDING_SECONDS and name not in GUESSED_DURATION:
        _refuse_length(f"{stated:.1f} s", max_seconds)
    mix = _Mix(max_seconds)
    for frame in _frames(container, name):
        mix.add(frame)
    return mix.result(name, stated)


class _Mix:
    """The frames so far, mixed down to mono."""

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._parts: list[Samples] = []
        self._total = 0
        self._rate = 0
        self._channels = 0

    def add(self, frame: av.AudioFrame) -> None:
        if not self._parts:
            self._rate, self._channels = _check(frame)
        if (frame.sample_rate, frame.layout.nb_channels) != (self._rate, self._channels):
            refuse("its sample rate or channels change on the way: expected one of each")
        self._parts.append(_mono(frame))
        self._total += frame.samples
        if self._total > (self._max_seconds + PADDING_SECONDS) * self._rate:
            _refuse_length(f"more than {self._max_seconds:g} s", self._max_seconds)

    def result(self, name: str, stated: float | None) -> Decoded:
        if not self._total:
            refuse(f"there is no audio in it: {EXPECTED}")
        seconds = self._total / self._rate
        if stated is not None and stated * (1 - MISSING_SHARE) - PADDING_SECONDS > seconds:
            refuse(f"it is cut off: its header states {stated:.1f} s, but it has only {seconds:.1f} s")
        return Decoded(np.concatenate(self._parts), self._rate, self._channels, name)


def _frames(container: InputContainer, name: str) -> Iterator[av.AudioFrame]:
    """Every frame of the first audio stream. Raises: InvalidRecording at the first that is damaged."""
    stream = container.streams.audio[0]
    if not stream.codec_context:  # None where the codec is not one of DECODERS, whatever the annotation says
        refuse(f"its codec cannot be read: {EXPECTED}")
    stream.codec_context.thread_count = 1
    for packet in container.demux(stream):
        if name == "mp3" and is_short_mp3_frame(bytes(packet)):
            refuse("it is cut off: its last frame is not complete")
        try:
            yield from packet.decode()
        except av.FFmpegError as bad:
            if name == "mp3" and not is_mp3_frame(bytes(packet)):
                continue  # a tag that libav does not know
            raise InvalidRecording(
                f"file: it is damaged or cut off: its {name} audio cannot be decoded {_where(packet)}",
                param="file",
            ) from bad


def _where(packet: "av.Packet[av.AudioStream]") -> str:
    if packet.pts is None or packet.time_base is None:
        return "somewhere"
    return f"at {float(packet.pts * packet.time_base):.1f} s"


def _check(frame: av.AudioFrame) -> tuple[int, int]:
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    if not MIN_RATE <= rate <= MAX_RATE:
        refuse(f"its sample rate is {rate} Hz: expected {MIN_RATE} to {MAX_RATE} Hz")
    if not 1 <= channels <= MAX_CHANNELS:
        refuse(f"it has {channels} channels: expected 1 to {MAX_CHANNELS}")
    return rate, channels


def _mono(frame: av.AudioFrame) -> Samples:
    values = frame.to_ndarray()
    if frame.format.is_packed:
        values = values.reshape(-1, frame.layout.nb_channels).T
    mixed: Samples = clean(_to_float(values)).mean(axis=0, dtype=np.float32)
    return mixed


def _to_float(values: NDArray[np.generic]) -> Samples:
    samples = values.astype(np.float32)
    if values.dtype == np.uint8:
        return (samples - 128) / np.float32(128)
    return samples if values.dtype.kind == "f" else samples / np.float32(2 ** (8 * values.itemsize - 1))


def _refuse_length(lasts: str, max_seconds: float) -> Never:
    refuse(f"it lasts {lasts}: expected at most {max_seconds:g} s")


def _found(data: bytes) -> str:
    """What the bytes look like, in words that never quote them."""
    try:
        head = data[:1024].decode()
    except UnicodeDecodeError as bad:
        head = "" if bad.start < len(data[:1024]) - 3 else data[: bad.start].decode()
    looks = "text" if head and all(c.isprintable() or c.isspace() for c in head) else "data"
    return f"{len(data)} bytes of {looks}"
