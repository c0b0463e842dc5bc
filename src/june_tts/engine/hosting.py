"""The engines' side of several web workers: each worker is a connection, each stream of it a task."""

import asyncio
from collections.abc import Sequence

from june_tts.engine.host_messages import EngineState, State
from june_tts.engine.host_session import READ_BYTES, Admit, Session
from june_tts.ports import Engine, Ledger, SpeaksInCodes, Supervised, TellsProgress

STATE_SECONDS = 0.25
"""Between two looks at what the engines tell of themselves."""
PULSE_LOOKS = 4
"""After so many without news it is told all the same: a worker can tell silence from a host that hangs."""


class EngineHost:
    """Serves engines to web workers. `close` ends every stream; the engines stay the caller's."""

    def __init__(self, engines: Sequence[Engine], admit: Admit, budgets: Ledger) -> None:
        """
        Args:
            engines: started, in the order of preference.
            budgets: of callers, over all workers.
        """
        self._engines = {engine.name: engine for engine in engines}
        self._admit = admit
        self._budgets = budgets
        self._sessions: dict[Session, asyncio.Task[None] | None] = {}
        self._closed = False
        self._server: asyncio.Server | None = None
        self._telling: asyncio.Task[None] | None = None

    async def start(self, path: str) -> None:
        """Listen on a Unix socket."""
        self._server = await asyncio.start_unix_server(self._serve, path, limit=READ_BYTES)
        self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        for session, serving in list(self._sessions.items()):
            await session.close()
            if serving is not None:
                await asyncio.wait({serving})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self._engines, self._admit, self._budgets, writer)
        self._sessions[session] = asyncio.current_task()
        try:
            if not self._closed:
                session.send(self._state())
                await session.read(reader)
        finally:
            await session.close()
            del self._sessions[session]

    async def _tell(self) -> None:
        told, looks = self._state(), 0
        while True:
            await asyncio.sleep(STATE_SECONDS)
            looks += 1
            if (now := self._state()) != told or looks >= PULSE_LOOKS:
                told, looks = now, 0
                for session in self._sessions:
                    session.send(now)

    def _state(self) -> State:
        return State(tuple(state_of(engine) for engine in self._engines.values()))


def state_of(engine: Engine) -> EngineState:
    """What a worker is told of an engine."""
    beside = engine if isinstance(engine, Supervised) else None
    codec = engine.codec if isinstance(engine, SpeaksInCodes) else None
    return EngineState(
        engine.name,
        engine.capabilities(),
        tuple(engine.voices()),
        engine.active,
        engine.running,
        beside.health if beside else None,
        beside.counts if beside else None,
        codec.sample_rate if codec else 0,
        codec.codebooks if codec else 0,
        isinstance(engine, TellsProgress),
        engine.idle_since if isinstance(engine, TellsProgress) else None,
    )
