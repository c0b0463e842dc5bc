"""Fish Audio's `/v1/tts/stream/with-timestamp`: speech and the times of its words, in events."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from june_tts.http.elevenlabs_alignment import HeardWords
from june_tts.http.fish_alignment import Sentences
from june_tts.http.fish_body import FishRoute
from june_tts.http.fish_schema import TTSBody
from june_tts.http.fish_speech import Usual, checked_rate, speech_coding, speech_request, usual
from june_tts.http.routes.docs import EVENTS_REPLY, SPEECH, fish_refusals
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech import Reply, speech_response
from june_tts.service.coding import Coding, Counted, Encode
from june_tts.types import AudioChunk

router = APIRouter(prefix="/v1", tags=["Fish"], route_class=FishRoute)


@router.post(
    "/tts/stream/with-timestamp", responses=EVENTS_REPLY | fish_refusals(*SPEECH), response_class=Response
)
async def tts_with_timestamps(
    body: TTSBody,
    given: Annotated[Services, Depends(services)],
    missing: Annotated[Usual, Depends(usual)],
    ident: Annotated[str, Depends(request_id)],
) -> Response:
    """Speak a text as `/v1/tts` does, in events that say when each word is heard."""
    format = body.format or missing.format
    checked_rate(body, format)
    request, ignored = await speech_request(body, given, ident)
    headers = {"X-Ignored-Parameters": ", ".join(ignored)} if ignored else {}
    reply = Reply(_timed(speech_coding(body, format)), "text/event-stream", headers)
    return await speech_response(given, request, reply)


def _timed(coding: Coding) -> Coding:
    """The same in events, each with the times of the words in it."""
    return Coding(f"{coding.name} fish events", lambda chunks: _events(chunks, coding.encode))


async def _events(chunks: AsyncGenerator[AudioChunk, None], encode: Encode) -> AsyncGenerator[bytes, None]:
    heard, made, sentences = HeardWords(), Counted(), Sentences()
    async with aclosing(encode(heard.of(made.of(chunks)))) as audio:
        async for data in audio:
            encoded = base64.b64encode(data).decode("ascii")
            for event in sentences.events(encoded, heard.take(), made.seconds):
                yield _line(event)
    for event in sentences.events("", heard.take(), made.seconds):
        yield _line(event)


def _line(event: dict[str, object]) -> bytes:
    return f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()
