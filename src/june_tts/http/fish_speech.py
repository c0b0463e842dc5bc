"""What a speech request of Fish's API asks for: whose voice, how it is drawn, how it is encoded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.requests import HTTPConnection

from june_tts.audio.codec import CodecEncoder
from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import FORMATS, pick_rate
from june_tts.audio.gain import GainEncoder
from june_tts.errors import UnsupportedParameter
from june_tts.http.fish_schema import TTSBody, VoiceFormat
from june_tts.http.services import Services
from june_tts.service.coding import Coding, encoded, named
from june_tts.service.voices import DEFAULT
from june_tts.types import InlineReference, Sampling, SpeechRequest

RATE = 44_100
"""Hz. Clients of this API take it for granted, those that play a stream without a look at its header too."""
OPUS_RATE = 48_000
NO_LIMIT = 1 << 20
"""Frames: more than any context holds."""
LEAST_TOP_P = 0.01
"""Stands for 0, which an engine that samples cannot have: the likeliest token alone."""
SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "repetition_penalty": "repetition_penalty",
    "seed": "seed",
    "max_new_tokens": "max_frames",
}
"""Fields of this API to those of `Sampling`."""
NO_EFFECT = ("min_chunk_length", "condition_on_previous_chunks", "early_stop_threshold", "features")
"""Fields that clients send and that no engine here has."""
INLINE = "inline"
"""Stands in logs and metrics for a voice that came with its request."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a request gets that does not say."""

    format: VoiceFormat
    streaming: bool


FISH_AUDIO = Usual("mp3", streaming=True)
FISH_SPEECH = Usual("wav", streaming=False)


async def usual(request: HTTPConnection) -> Usual:
    """The dependency: Fish Audio's ways, or fish-speech's where the server is there in its place."""
    found: Usual = request.app.state.fish_usual
    return found


async def speech_request(body: TTSBody, given: Services, ident: str) -> tuple[SpeechRequest, list[str]]:
    """The request, and the fields that were sent and that change nothing here.

    Raises:
        InvalidRequest: a voice is not known, or something cannot be done.
    """
    voice_id, references = await _voice(body, given)
    request = SpeechRequest(
        ident,
        body.text,
        voice_id,
        speed=body.prosody.speed,
        references=references,
        normalize=body.normalize,
        piece_chars=body.chunk_length or None,
    )
    able = await given.synthesizer.capabilities(request)
    sampling = _sampling(body)
    # Every client sends all of them with every request: a voice that is not sampled would never speak if
    # they were refused. A header of the reply says what had no effect.
    lacking = sampling.given() - able.parameters
    ignored = [name for name, ours in SAMPLING.items() if ours in lacking and name in body.model_fields_set]
    return replace(request, sampling=sampling.without(lacking)), ignored + _without_effect(body)


def checked_rate(body: TTSBody, format: VoiceFormat) -> int:
    """Hz of the encoded audio. Raises: InvalidRequest, where the format cannot have it."""
    usual = OPUS_RATE if format == "opus" else RATE
    return pick_rate(format, usual, body.sample_rate or usual)


def speech_encoder(body: TTSBody, format: VoiceFormat, source_rate: int) -> Encoder:
    """An encoder for speech at `source_rate` Hz."""
    rate = checked_rate(body, format)
    encoder = _encoder(format, source_rate, rate, _bit_rate(body, format))
    return GainEncoder(encoder, body.prosody.volume) if body.prosody.volume else encoder


def speech_coding(body: TTSBody, format: VoiceFormat) -> Coding:
    """The encoder's, by name."""
    rate, bit_rate, volume = checked_rate(body, format), _bit_rate(body, format), body.prosody.volume
    name = named(format, rate, bit_rate, *([f"{volume} dB"] if volume else []))
    return Coding(name, encoded(lambda source_rate: speech_encoder(body, format, source_rate)))


def _encoder(format: VoiceFormat, source_rate: int, rate: int, bit_rate: int | None) -> Encoder:
    if bit_rate is None:
        return open_encoder(format, source_rate, rate)
    return CodecEncoder(FORMATS[format], source_rate, rate, bit_rate)


def _bit_rate(body: TTSBody, format: VoiceFormat) -> int | None:
    """Bits per second; None where nobody asked for any."""
    return {"mp3": body.mp3_bitrate, "opus": body.opus_bitrate}.get(format)


def _sampling(body: TTSBody) -> Sampling:
    frames = body.max_new_tokens or NO_LIMIT
    top_p = max(LEAST_TOP_P, body.top_p)
    return Sampling(body.temperature, top_p, body.repetition_penalty, body.seed, frames)


def _without_effect(body: TTSBody) -> list[str]:
    sent = [name for name in NO_EFFECT if name in body.model_fields_set]
    return sent + ["normalize_loudness"] * ("normalize_loudness" in body.prosody.model_fields_set)


async def _voice(body: TTSBody, given: Services) -> tuple[str, tuple[InlineReference, ...]]:
    if body.reference_id:
        _refuse_dialogue("reference_id", body.reference_id)
        return body.reference_id[0], await given.references.find(body.reference_id[0])
    if body.references:
        _refuse_dialogue("references", body.references)
        return INLINE, tuple(InlineReference(sent.audio, sent.text) for sent in body.references[0])
    return DEFAULT, ()


def _refuse_dialogue(name: str, speakers: Sequence[object]) -> None:
    if len(speakers) > 1:
        raise UnsupportedParameter(
            f"{name} has {len(speakers)} speakers: expected one, and a request for each turn of a dialogue",
            param=name,
        )
