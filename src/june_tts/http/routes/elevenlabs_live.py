"""ElevenLabs' WebSockets: `/v1/text-to-speech/{voice_id}/stream-input` and `…/multi-stream-input`."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.websockets import WebSocket

from june_tts.errors import UnsupportedParameter
from june_tts.http.elevenlabs_context import Manner
from june_tts.http.elevenlabs_formats import output
from june_tts.http.elevenlabs_frames import read_query
from june_tts.http.elevenlabs_multi import MultiStreamInput
from june_tts.http.elevenlabs_request import Wish, speech_request
from june_tts.http.elevenlabs_session import Contexts, converse
from june_tts.http.elevenlabs_stream import StreamInput
from june_tts.http.live_door import serve_socket
from june_tts.http.live_socket import LiveSocket
from june_tts.http.services import Services, request_id, services

router = APIRouter(prefix="/v1/text-to-speech/{voice_id}", tags=["ElevenLabs"])

Given = Annotated[Services, Depends(services)]
Ident = Annotated[str, Depends(request_id)]


@router.websocket("/stream-input")
async def stream_input(websocket: WebSocket, voice_id: str, given: Given, ident: Ident) -> None:
    """Speak one text that is still being written."""
    manner = await _manner(websocket, voice_id, given, ident)

    async def speak(socket: LiveSocket) -> None:
        contexts = Contexts(manner, given.parts, socket, given.live)
        await converse(StreamInput(contexts), socket)

    await serve_socket(websocket, given, speak)


@router.websocket("/multi-stream-input")
async def multi_stream_input(websocket: WebSocket, voice_id: str, given: Given, ident: Ident) -> None:
    """Speak texts that are still being written, several at once."""
    manner = await _manner(websocket, voice_id, given, ident)

    async def speak(socket: LiveSocket) -> None:
        contexts = Contexts(manner, given.parts, socket, given.live)
        await converse(MultiStreamInput(contexts, socket), socket)

    await serve_socket(websocket, given, speak)


async def _manner(websocket: WebSocket, voice_id: str, given: Services, ident: str) -> Manner:
    """What the handshake asks for, checked as far as can be, so that a refusal has a status.

    Raises:
        InvalidRequest: a parameter, the voice or the model.
        StoreUnavailable, CannotClone: see `speech_request`.
    """
    query = read_query(dict(websocket.query_params))
    if query.enable_ssml_parsing:
        raise UnsupportedParameter("enable_ssml_parsing: SSML is not read here", param="enable_ssml_parsing")
    wish = Wish(
        voice_id[:300],
        query.model_id,
        query.language_code,
        seed=query.seed,
        normalize=query.apply_text_normalization != "off",
    )
    request = await speech_request(wish, "", ident, given)
    await given.synthesizer.capabilities(request)
    return Manner(
        request,
        output(query.output_format),
        auto_mode=query.auto_mode,
        absolute=query.sync_alignment,
        quiet_seconds=min(query.inactivity_timeout, given.live.idle_seconds),
    )
