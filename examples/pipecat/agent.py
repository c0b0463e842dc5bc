"""A Pipecat agent that says back the lines that are written to it, with june-tts as its voice.

    echo "Good morning. It is half past nine." | python agent.py heard.wav

JUNE_BASE_URL says where june-tts listens, where that is not http://127.0.0.1:8000. README.md has the rest.
"""

import asyncio
import os
import sys
import wave

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

SAMPLE_RATE = 24_000
TOKEN_SECONDS = 0.03
"""Between two words, as a language model would write them."""


def voice() -> ElevenLabsTTSService:
    """june-tts: each token goes up as it is written, and the server finds the clauses."""
    address = os.environ.get("JUNE_BASE_URL", "http://127.0.0.1:8000")
    return ElevenLabsTTSService(
        api_key=os.environ.get("JUNE_API_KEY", "none"),
        url=address.replace("http", "ws", 1),
        sample_rate=SAMPLE_RATE,
        settings=ElevenLabsTTSService.Settings(voice="joe"),
        text_aggregation_mode=TextAggregationMode.TOKEN,
    )


class Echo(FrameProcessor):
    """Stands where your language model would: its answer is what was said to it."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        for word in frame.text.split():
            await self.push_frame(LLMTextFrame(f"{word} "))
            await asyncio.sleep(TOKEN_SECONDS)
        await self.push_frame(LLMFullResponseEndFrame())


class WavFile(BaseOutputTransport):
    """Stands where your transport would: what the caller would hear goes into a file."""

    def __init__(self, file: wave.Wave_write) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=SAMPLE_RATE))
        self._file = file

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._file.writeframesraw(frame.audio)
        return True


async def talk(file: wave.Wave_write, lines: list[str]) -> None:
    pipeline = Pipeline([Echo(), voice(), WavFile(file)])
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=SAMPLE_RATE))
    said = [TranscriptionFrame(text=line, user_id="you", timestamp="") for line in lines]
    await worker.queue_frames([*said, EndFrame()])
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await runner.run()


def main() -> None:
    with wave.open(sys.argv[1], "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        asyncio.run(talk(file, [line for line in sys.stdin if line.strip()]))


if __name__ == "__main__":
    main()
