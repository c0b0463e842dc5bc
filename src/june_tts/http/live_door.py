"""How a live socket begins and ends: refused with a status, or accepted, served and closed."""

from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from june_tts.errors import Overloaded
from june_tts.http.errors import error_response
from june_tts.http.live_socket import AWAY, Idle, LiveSocket
from june_tts.http.services import Services


async def serve_socket(
    websocket: WebSocket, given: Services, converse: Callable[[LiveSocket], Awaitable[None]]
) -> None:
    """Accept a socket where there is room for it, and hand it to `converse`; it is closed after that.

    What `converse` may leave to this: the client goes away, or is idle for too long.
    """
    try:
        place = given.sockets.place()
    except Overloaded as full:
        # before the handshake, so that the client sees 503 as it would on any other route
        await error_response(websocket.url.path, full)(websocket.scope, websocket.receive, websocket.send)
        return
    with place as held:
        await websocket.accept()
        socket = LiveSocket(websocket, given.live, held.heard)
        held.silent(socket.make_room)
        try:
            await converse(socket)
            await socket.close(1000)
        except Idle as idle:
            await socket.close(AWAY, str(idle))
        except WebSocketDisconnect:
            return
        finally:
            await socket.aclose()
