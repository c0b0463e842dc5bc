"""ElevenLabs' speech API over HTTP: `/v1/text-to-speech/{voice_id}` and its three neighbours."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from june_tts.errors import TextTooLong
from june_tts.http.elevenlabs_alignment import HeardWords, characters, in_seconds
from june_tts.http.elevenlabs_formats import DEFAULT, Output, output
from june_tts.http.elevenlabs_request import Wish, speech_request
from june_tts.http.elevenlabs_schema import ElevenLabsBody
from june_tts.http.routes.docs import AUDIO_REPLY, NDJSON_REPLY, SPEECH, TIMED_REPLY, elevenlabs_refusals
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech import Reply, speech_response
from june_tts.service.coding import Coding
from june_tts.types import AudioChunk, SpeechRequest, WordTime

router = APIRouter(prefix="/v1/text-to-speech/{voice_id}", tags=["ElevenLabs"])

MOST_WHOLE_BYTES = 64 << 20
"""Of audio that is collected before it is sent: 12 minutes as PCM at 44.1 kHz."""

Given = Annotated[Services, Depends(services)]
Ident = Annotated[str, Depends(request_id)]
VoiceId = Annotated[str, Path(max_length=300, description="A voice of `/v1/voices`, or an alias.")]
OutputFormat = Annotated[
    str, Query(max_length=40, description="`codec_rate` or `codec_rate_kbit`: `pcm_24000`, `mp3_44100_128` …")
]
EnableLogging = Annotated[bool, Query(description="No effect: texts are never kept.")]
Latency = Annotated[
    int | None, Query(ge=0, le=4, description="No effect: first audio is always sent at once.")
]


@router.post("", responses=AUDIO_REPLY | elevenlabs_refusals(*SPEECH), response_class=Response)
@router.post("/stream", responses=AUDIO_REPLY | elevenlabs_refusals(*SPEECH), response_class=Response)
async def speak(
    voice_id: VoiceId,
    body: ElevenLabsBody,
    given: Given,
    ident: Ident,
    output_format: OutputFormat = DEFAULT,
    enable_logging: EnableLogging = True,
    optimize_streaming_latency: Latency = None,
) -> Response:
    """Speak a text. The audio is sent while it is being made; hanging up stops the work."""
    wanted, request = output(output_format), await _request(voice_id, body, ident, given)
    return await speech_response(given, request, Reply(wanted.coding, wanted.media_type))


@router.post(
    "/with-timestamps", responses=TIMED_REPLY | elevenlabs_refusals(*SPEECH), response_class=Response
)
async def speak_timed(
    voice_id: VoiceId,
    body: ElevenLabsBody,
    given: Given,
    ident: Ident,
    output_format: OutputFormat = DEFAULT,
    enable_logging: EnableLogging = True,
    optimize_streaming_latency: Latency = None,
) -> Response:
    """Speak a text, and say when each character is heard: one object, when all is made."""
    wanted, request = output(output_format), await _request(voice_id, body, ident, given)
    coding = Coding(f"{wanted.coding.name} timed", lambda chunks: _whole(_timed(chunks, wanted)))
    return await speech_response(given, request, Reply(coding, "application/json"))


@router.post(
    "/stream/with-timestamps", responses=NDJSON_REPLY | elevenlabs_refusals(*SPEECH), response_class=Response
)
async def stream_timed(
    voice_id: VoiceId,
    body: ElevenLabsBody,
    given: Given,
    ident: Ident,
    output_format: OutputFormat = DEFAULT,
    enable_logging: EnableLogging = True,
    optimize_streaming_latency: Latency = None,
) -> Response:
    """The same while it is being made: a line of JSON for each stretch of audio."""
    wanted, request = output(output_format), await _request(voice_id, body, ident, given)
    coding = Coding(f"{wanted.coding.name} timed lines", lambda chunks: _lines(_timed(chunks, wanted)))
    return await speech_response(given, request, Reply(coding, "application/x-ndjson"))


async def _request(voice_id: str, body: ElevenLabsBody, ident: str, given: Services) -> SpeechRequest:
    wish = Wish(voice_id, body.model_id, body.language_code, body.speed, body.seed, body.normalize)
    return await speech_request(wish, body.text, ident, given)


Timed = tuple[bytes, tuple[WordTime, ...]]
"""Encoded audio, and the words that ended since the last one."""


async def _timed(chunks: AsyncGenerator[AudioChunk, None], wanted: Output) -> AsyncGenerator[Timed, None]:
    words = HeardWords()
    async with aclosing(wanted.coding.encode(words.of(chunks))) as audio:
        async for data in audio:
            yield data, words.take()
    if rest := words.take():
        yield b"", rest


async def _lines(timed: AsyncGenerator[Timed, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(timed):
        async for data, words in timed:
            yield _line(data, words) + b"\n"


async def _whole(timed: AsyncGenerator[Timed, None]) -> AsyncGenerator[bytes, None]:
    audio, heard = bytearray(), list[WordTime]()
    async with aclosing(timed):
        async for data, words in timed:
            audio += data
            heard += words
            if len(audio) > MOST_WHOLE_BYTES:
                raise TextTooLong(
                    f"the audio has more than {MOST_WHOLE_BYTES} bytes: ask for it in a stream", param="text"
                )
    yield _line(bytes(audio), tuple(heard))


def _line(audio: bytes, words: tuple[WordTime, ...]) -> bytes:
    aligned = in_seconds(characters(words))
    reply: dict[str, Any] = {
        "audio_base64": base64.b64encode(audio).decode("ascii"),
        "alignment": aligned,
        "normalized_alignment": aligned,
    }
    return json.dumps(reply, separators=(",", ":")).encode()
