"""Fish's API as fish-speech's `tools/api_server` and Fish Audio's service have it: `/v1/tts`; and of the
former `/v1/vqgan`, `/v1/health`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgpack
import numpy as np
from fastapi import APIRouter, Depends
from numpy.typing import NDArray
from starlette.responses import Response

from june_tts.audio.formats import MEDIA_TYPES
from june_tts.audio.reference import recording
from june_tts.audio.wav import state_length
from june_tts.errors import InvalidRequest, NotConfigured, TextTooLong
from june_tts.http.fish_body import FishRoute
from june_tts.http.fish_schema import DecodeBody, EncodeBody, TTSBody
from june_tts.http.fish_speech import Usual, checked_rate, speech_coding, speech_request, usual
from june_tts.http.routes.docs import AUDIO_REPLY, MSGPACK_REPLY, SPEECH, UPLOAD, fish_refusals
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech import Reply, speech_response
from june_tts.ports import VoiceCodec
from june_tts.service.coding import Coding
from june_tts.types import AudioChunk, Format

router = APIRouter(prefix="/v1", tags=["Fish"], route_class=FishRoute)

Given = Annotated[Services, Depends(services)]
MOST_WHOLE_BYTES = 256 << 20
"""Of a reply that is collected before it is sent: 50 minutes as WAV."""
PART_BYTES = 1 << 16
MOST_CODE = 4095


@router.get("/health", responses=fish_refusals())
@router.post("/health", responses=fish_refusals())
async def health() -> dict[str, str]:
    """The server answers."""
    return {"status": "ok"}


@router.post("/tts", responses=AUDIO_REPLY | fish_refusals(*SPEECH), response_class=Response)
async def tts(
    body: TTSBody,
    given: Given,
    missing: Annotated[Usual, Depends(usual)],
    ident: Annotated[str, Depends(request_id)],
) -> Response:
    """Speak a text, like a voice of the library or like recordings that come with the request."""
    format = body.format or missing.format
    checked_rate(body, format)
    request, ignored = await speech_request(body, given, ident)
    headers = {"Content-Disposition": f"attachment; filename=audio.{format}"}
    if ignored:
        headers["X-Ignored-Parameters"] = ", ".join(ignored)
    streaming = missing.streaming if body.streaming is None else body.streaming
    coding = speech_coding(body, format)
    reply = Reply(coding if streaming else _whole_coding(coding, format), MEDIA_TYPES[format], headers)
    return await speech_response(given, request, reply)


@router.post("/vqgan/encode", responses=MSGPACK_REPLY | fish_refusals(*UPLOAD, 502), response_class=Response)
async def encode(body: EncodeBody, given: Given) -> Response:
    """Recordings to codes, silences and all: msgpack, one list of rows for each."""
    codec = _codec(given)
    made = [(await _encoded(codec, audio)).tolist() for audio in body.audios]
    return _packed({"tokens": made})


@router.post("/vqgan/decode", responses=MSGPACK_REPLY | fish_refusals(*UPLOAD, 502), response_class=Response)
async def decode(body: DecodeBody, given: Given) -> Response:
    """Codes to sound: msgpack, one string of little-endian float16 samples at 44,100 Hz for each."""
    codec = _codec(given)
    rows = [_codes(tokens, at, codec.codebooks) for at, tokens in enumerate(body.tokens)]
    made = [(await codec.decode(codes)).astype("<f2").tobytes() for codes in rows]
    return _packed({"audios": made})


def _whole_coding(coding: Coding, format: Format) -> Coding:
    def encode(chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[bytes, None]:
        return _whole(coding.encode(chunks), format)

    return Coding(f"{coding.name} whole", encode)


async def _whole(audio: AsyncGenerator[bytes, None], format: Format) -> AsyncGenerator[bytes, None]:
    """All of it at once, so that an error at any time has its true status and a WAV its true length."""
    whole = bytearray()
    async with aclosing(audio):
        async for data in audio:
            whole += data
            if len(whole) > MOST_WHOLE_BYTES:
                raise TextTooLong(
                    f"the audio has more than {MOST_WHOLE_BYTES} bytes: ask for it with streaming=true",
                    param="text",
                )
    if format == "wav":
        state_length(whole)
    for at in range(0, len(whole), PART_BYTES):
        yield bytes(whole[at : at + PART_BYTES])


def _codes(rows: Sequence[Sequence[int]], at: int, codebooks: int) -> NDArray[np.int32]:
    """Shape (codebooks, frames). Raises: InvalidRequest."""
    if len(rows) != codebooks:
        raise InvalidRequest(f"tokens.{at} has {len(rows)} rows: expected {codebooks}", param="tokens")
    if len({len(row) for row in rows}) > 1 or not rows[0]:
        raise InvalidRequest(f"tokens.{at} has rows of different lengths or none", param="tokens")
    low, high = min(map(min, rows)), max(map(max, rows))
    if low < 0 or high > MOST_CODE:
        raise InvalidRequest(
            f"tokens.{at} has codes from {low} to {high}: expected 0 to {MOST_CODE}", param="tokens"
        )
    return np.array(rows, np.int32)


async def _encoded(codec: VoiceCodec, audio: bytes) -> NDArray[np.int32]:
    """Not kept: who asks for codes has them. What the engine speaks like is kept by `VoicePrompts`."""
    return await codec.encode(await asyncio.to_thread(recording, audio, codec.sample_rate))


def _codec(given: Services) -> VoiceCodec:
    """Raises: NotConfigured, where no engine speaks in codes."""
    if given.codec is None:
        raise NotConfigured("no engine here speaks in codes: load the Fish engine")
    return given.codec


def _packed(reply: dict[str, Any]) -> Response:
    return Response(msgpack.packb(reply), media_type="application/msgpack")
