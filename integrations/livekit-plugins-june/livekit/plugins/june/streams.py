"""A text at once over HTTP, and a text that is still being written over a socket."""

import asyncio
import base64
from typing import TYPE_CHECKING

import aiohttp
from livekit.agents import APIConnectOptions, APIError, tts, utils

from .connection import Turn
from .failures import as_api_errors, refusal
from .options import Options
from .words import Words

if TYPE_CHECKING:
    from .tts import TTS

CHANNELS = 1
BYTES_PER_SAMPLE = 2
MIME_TYPE = "audio/pcm"


class ChunkedStream(tts.ChunkedStream):
    """Speaks a text over HTTP; the audio comes while it is being made."""

    def __init__(self, *, tts: "TTS", input_text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=tts, input_text=input_text, conn_options=conn_options)
        self._june = tts
        self._options = tts.options

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        with as_api_errors():
            async with self._june.session.post(
                self._options.url("/api/tts/synthesize"),
                json=_body(self._input_text, self._options),
                headers=self._options.headers,
                timeout=_patience(self._conn_options.timeout),
            ) as reply:
                if reply.status != 200:
                    raise await refusal(reply)
                output_emitter.initialize(
                    request_id=reply.headers.get("x-request-id") or utils.shortuuid(),
                    sample_rate=self._options.sample_rate,
                    num_channels=CHANNELS,
                    mime_type=MIME_TYPE,
                )
                async for data in reply.content.iter_any():
                    output_emitter.push(data)
                output_emitter.flush()


class SynthesizeStream(tts.SynthesizeStream):
    """Speaks a text while it is being written; closing it stops the speech at once."""

    def __init__(self, *, tts: "TTS", conn_options: APIConnectOptions) -> None:
        super().__init__(tts=tts, conn_options=conn_options)
        self._june = tts

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        context = utils.shortuuid()
        # now, and not when it was made: the socket is opened with them
        options = self._june.options
        output_emitter.initialize(
            request_id=context,
            sample_rate=options.sample_rate,
            num_channels=CHANNELS,
            mime_type=MIME_TYPE,
            stream=True,
        )
        output_emitter.start_segment(segment_id=context)
        with as_api_errors():
            async with self._june.sockets.turn(context, options, self._conn_options.timeout) as turn:
                self._acquire_time = self._june.sockets.acquire_time
                self._connection_reused = self._june.sockets.reused
                await self._converse(turn, output_emitter)
        output_emitter.end_segment()

    async def _converse(self, turn: Turn, output_emitter: tts.AudioEmitter) -> None:
        # no deadline while text is still being written: a language model may pause as long as it likes,
        # and a dead server is found out by the socket's heartbeat
        async with asyncio.timeout(None) as deadline:
            writing = asyncio.create_task(self._write(turn, deadline), name="june_tts.write")
            try:
                await self._read(turn, output_emitter, deadline)
            finally:
                await utils.aio.cancel_and_wait(writing)

    async def _write(self, turn: Turn, deadline: asyncio.Timeout) -> None:
        try:
            async for text in self._input_ch:
                if isinstance(text, self._FlushSentinel):
                    await turn.flush()
                else:
                    self._mark_started()
                    await turn.say(text)
            await turn.end()
        except APIError as error:
            turn.hear(error)
        self._wait_longer(deadline)

    async def _read(self, turn: Turn, output_emitter: tts.AudioEmitter, deadline: asyncio.Timeout) -> None:
        words, heard = Words(), False
        async for reply in turn.replies():
            if deadline.when() is not None:
                self._wait_longer(deadline)
            output_emitter.push_timed_transcript(words.whole(reply.get("alignment")))
            if audio := reply.get("audio"):
                output_emitter.push(base64.b64decode(audio))
                heard = True
        output_emitter.push_timed_transcript(words.last())
        if turn.began and not heard:
            # nothing in the text has a sound, an emoji for example; the framework takes no audio for a fault
            output_emitter.push(bytes(self._june.sample_rate // 100 * BYTES_PER_SAMPLE))

    def _wait_longer(self, deadline: asyncio.Timeout) -> None:
        deadline.reschedule(asyncio.get_running_loop().time() + self._conn_options.timeout)


def _body(text: str, options: Options) -> dict[str, object]:
    return {
        "text": text,
        "voice_id": options.voice_id,
        "language": options.language,
        "speed": options.speed,
        "audio_format": "pcm",
        "sample_rate": options.sample_rate,
    }


def _patience(seconds: float) -> aiohttp.ClientTimeout:
    """For the connection, and for each wait between two parts of the reply; a long text takes its time."""
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
