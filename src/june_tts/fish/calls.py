"""One request on its way through the engine's process, as the event loop sees it. No torch."""

import asyncio
from collections import deque
from collections.abc import Callable

from june_tts.errors import EngineFailed, InvalidRequest, JuneError
from june_tts.fish.events import Done, Failed, Frames
from june_tts.fish.messages import Answer, Cancel, CodesMade, SamplesMade, ToEngine, Took

Good = Frames | Done | CodesMade | SamplesMade


class Call:
    """A request that was sent and the answers to it, in order. Not thread-safe: for the event loop alone."""

    def __init__(self, call_id: str, window: int, send: Callable[[ToEngine], None]) -> None:
        """`window`: frames that may be untaken; 0 for a call that is answered once."""
        self.id = call_id
        self.over = False
        """The engine has nothing more to say about it."""
        self._window = window
        self._send = send
        self._answers: deque[Good] = deque()
        self._error: JuneError | None = None
        self._changed = asyncio.Event()
        self._untaken = 0

    @property
    def hungry(self) -> bool:
        """Whether frames of it should be coming."""
        return self._window > 0 and not self.over and self._untaken < self._window

    @property
    def parked(self) -> bool:
        """Whether its reader takes so little that no more is made."""
        return self._window > 0 and not self.over and self._untaken >= self._window

    def answer(self, message: Answer) -> None:
        if isinstance(message, Failed):
            self.fail(EngineFailed(message.message) if message.retryable else InvalidRequest(message.message))
            return
        if isinstance(message, Frames):
            self._untaken += message.codes.shape[1]
        else:
            self.over = True
        self._answers.append(message)
        self._changed.set()

    def fail(self, error: JuneError) -> None:
        """The error comes at once: frames that were not taken yet are dropped."""
        if not self.over:
            self.over, self._error = True, error
            self._answers.clear()
            self._changed.set()

    async def next(self) -> Good:
        """The next answer.

        Raises:
            EngineFailed: the engine or its process could not go on.
            InvalidRequest: the engine cannot do this, whoever asks again.
        """
        while not self._answers:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        answer = self._answers.popleft()
        if isinstance(answer, Frames):
            self._untaken -= answer.codes.shape[1]
            if not self.over:
                self._send(Took(self.id, answer.codes.shape[1]))
        return answer

    def abandon(self) -> None:
        """Nobody listens any more."""
        self._answers.clear()
        if not self.over:
            self.over = True
            self._send(Cancel(self.id))
