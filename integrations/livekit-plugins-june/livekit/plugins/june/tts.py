"""The framework's `TTS` over june-tts."""

import os
import weakref
from dataclasses import replace
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import is_given

from .connection import Connection
from .options import DEFAULT_BASE_URL, Options
from .sockets import Sockets
from .streams import CHANNELS, ChunkedStream, SynthesizeStream


class TTS(tts.TTS[Any]):
    """Speech from a june-tts server."""

    def __init__(
        self,
        *,
        voice_id: str = "default",
        language: NotGivenOr[str] = NOT_GIVEN,
        speed: float = 1.0,
        sample_rate: int = 24_000,
        base_url: NotGivenOr[str] = NOT_GIVEN,
        api_key: NotGivenOr[str] = NOT_GIVEN,
        http_session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Nothing is connected yet: `prewarm`, or the first turn, does that.

        Args:
            voice_id: A voice of the server's `GET /api/voices`, cloned or built in; `default` is the
                server's own choice.
            language: BCP 47, of those the voice speaks. Not given: the voice's own.
            speed: Tempo, 0.25 to 4; 2 is twice as fast.
            sample_rate: Of the audio in Hz: 8000, 16000, 22050, 24000, 32000, 44100 or 48000.
            base_url: Where june-tts listens. Not given: JUNE_BASE_URL, or `http://127.0.0.1:8000`.
            api_key: Not given: JUNE_API_KEY, or none.
            http_session: Not given: the framework's own, which belongs to the job.

        Raises:
            ValueError: an argument is out of range; it says which, and what was expected.
        """
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=sample_rate,
            num_channels=CHANNELS,
        )
        self.options = Options(
            base_url=base_url if is_given(base_url) else os.environ.get("JUNE_BASE_URL") or DEFAULT_BASE_URL,
            api_key=api_key if is_given(api_key) else os.environ.get("JUNE_API_KEY"),
            voice_id=voice_id,
            language=language if is_given(language) else None,
            speed=speed,
            sample_rate=sample_rate,
        )
        self.sockets = Sockets(self._connect)
        self._session = http_session
        self._streams = weakref.WeakSet[SynthesizeStream]()

    @property
    def model(self) -> str:
        return self.options.voice_id

    @property
    def provider(self) -> str:
        return "june-tts"

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = utils.http_context.http_session()
        return self._session

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> ChunkedStream:
        return ChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        stream = SynthesizeStream(tts=self, conn_options=conn_options)
        self._streams.add(stream)
        return stream

    def update_options(
        self,
        *,
        voice_id: NotGivenOr[str] = NOT_GIVEN,
        language: NotGivenOr[str | None] = NOT_GIVEN,
        speed: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """For streams that are made from now on; those under way end as they began.

        Args:
            language: None: the voice's own again.

        Raises:
            ValueError: as when a `TTS` is made; nothing has changed then.
        """
        given: dict[str, Any] = {"voice_id": voice_id, "language": language, "speed": speed}
        was = self.options
        self.options = replace(was, **{name: value for name, value in given.items() if is_given(value)})
        if (was.voice_id, was.language) != (self.options.voice_id, self.options.language):
            # a socket is opened for one voice in one language
            self.sockets.invalidate()

    def prewarm(self) -> None:
        """Open a socket in the background, so that the first turn finds it."""
        self.sockets.prewarm()

    async def aclose(self) -> None:
        for stream in list(self._streams):
            await stream.aclose()
        self._streams.clear()
        await self.sockets.aclose()

    async def _connect(self, patience: float) -> Connection:
        return await Connection.open(self.session, self.options, patience)
