"""Pipecat's TTS services driven as an agent drives them: frames into a pipeline, audio out of its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipecat.frames.frames import ErrorFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.worker import PipelineParams
from pipecat.services.tts_service import TTSService
from pipecat.tests.utils import run_test

from tests.wav_bytes import wav

START_SECONDS = 15.0
RATE = 24_000


@dataclass(frozen=True)
class Spoken:
    """What left the pipeline."""

    down: Sequence[Frame]
    up: Sequence[Frame]

    @property
    def audio(self) -> list[TTSAudioRawFrame]:
        return [frame for frame in self.down if isinstance(frame, TTSAudioRawFrame)]

    @property
    def errors(self) -> list[str]:
        return [frame.error for frame in self.up if isinstance(frame, ErrorFrame)]

    @property
    def seconds(self) -> float:
        return sum(len(frame.audio) / 2 / frame.sample_rate for frame in self.audio)

    def wav(self) -> bytes:
        (rate,) = {frame.sample_rate for frame in self.audio}
        return wav(b"".join(frame.audio for frame in self.audio), rate)


async def spoken_by(service: TTSService, *sent: Frame | str, rate: int = RATE) -> Spoken:
    """Run a pipeline of this service alone until it has spoken everything; a string is a `TTSSpeakFrame`."""
    down, up = await run_test(
        service,
        frames_to_send=[TTSSpeakFrame(frame) if isinstance(frame, str) else frame for frame in sent],
        pipeline_params=PipelineParams(audio_out_sample_rate=rate),
        start_timeout=START_SECONDS,
    )
    return Spoken(down, up)
