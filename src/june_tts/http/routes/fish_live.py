"""Fish Audio's WebSocket: `/v1/tts/live`."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.websockets import WebSocket

from june_tts.http.fish_live import FishConversation
from june_tts.http.fish_speech import Usual, usual
from june_tts.http.live_door import serve_socket
from june_tts.http.live_socket import LiveSocket
from june_tts.http.services import Services, request_id, services

router = APIRouter(prefix="/v1", tags=["Fish"])


@router.websocket("/tts/live")
async def live(
    websocket: WebSocket,
    given: Annotated[Services, Depends(services)],
    missing: Annotated[Usual, Depends(usual)],
    ident: Annotated[str, Depends(request_id)],
) -> None:
    """Speak text that is still being written, turn after turn."""

    async def converse(socket: LiveSocket) -> None:
        await FishConversation(socket, given, missing, ident).run()

    await serve_socket(websocket, given, converse)
