"""Encoding and decoding on request, beside the streams. No torch."""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from june_tts.errors import EngineFailed, InvalidRequest, JuneError, Overloaded
from june_tts.fish.events import Failed
from june_tts.fish.messages import Answer, CodesMade, Decode, Encode, SamplesMade
from june_tts.fish.sequence import Codec, CodecStream, Codes
from june_tts.types import Samples

MOST_JOBS = 8
"""Of each kind that wait; a recording is a few megabytes."""
DECODE_FRAMES = 32
"""Decoded between two steps of the model."""

log = logging.getLogger(__name__)
Answering = Callable[[Answer], None]


class Encoder:
    """Recordings to codes, one after the other, in a thread of its own: a recording takes a second or,
    without a GPU, many, and streams must not stand still for it."""

    def __init__(self, codec: Codec | None, answer: Answering) -> None:
        """`answer` is called in that thread."""
        self._codec = codec
        self._answer = answer
        self._jobs: dict[str, Encode] = {}
        self._ids: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="encoder", daemon=True).start()

    def submit(self, job: Encode) -> None:
        """Raises: Overloaded."""
        if len(self._jobs) >= MOST_JOBS:
            raise Overloaded(f"{len(self._jobs)} recordings wait to be encoded")
        self._jobs[job.id] = job
        self._ids.put(job.id)

    def cancel(self, job_id: str) -> None:
        """Forget a job that waits; one that has begun goes on."""
        self._jobs.pop(job_id, None)

    def _run(self) -> None:
        while True:
            if (job := self._jobs.pop(self._ids.get(), None)) is None:
                continue
            try:
                self._answer(CodesMade(job.id, _codec(self._codec).encode(job.samples)))
            except Exception as error:  # noqa: BLE001  whatever it raises ends this job, not the thread
                self._answer(failed(job.id, error))


class Decoder:
    """Codes to samples, a few frames of one job at a turn, so that no stream waits for a long one."""

    def __init__(self, codec: Codec | None, codebook_sizes: Sequence[int], answer: Answering) -> None:
        self._codec = codec
        self._sizes = np.array(codebook_sizes, np.int32)[:, None]
        self._answer = answer
        self._jobs: deque[_Decoding] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def submit(self, job: Decode) -> None:
        """A code beyond its codebook's end counts as the last one there, as in fish-speech.

        Raises: Overloaded, InvalidRequest, EngineFailed.
        """
        if len(self._jobs) >= MOST_JOBS:
            raise Overloaded(f"{len(self._jobs)} sets of codes are being decoded")
        if job.codes.shape[0] != len(self._sizes) or (job.codes < 0).any():
            found = f"shape {job.codes.shape}, the least one {job.codes.min(initial=0)}"
            raise InvalidRequest(f"codes have {found}, expected ({len(self._sizes)}, frames) and at least 0")
        codes = np.minimum(job.codes, self._sizes - 1)
        self._jobs.append(_Decoding(job.id, codes, _codec(self._codec)))

    def cancel(self, job_id: str) -> None:
        self._jobs = deque(job for job in self._jobs if job.id != job_id)

    def turn(self) -> None:
        """Go on with the first job."""
        if not self._jobs:
            return
        job = self._jobs[0]
        try:
            job.step()
        except Exception as error:  # noqa: BLE001  ends this job, and the next turn serves the others
            self._answer(failed(job.id, error))
            self._jobs.popleft()
        else:
            if job.done:
                self._answer(SamplesMade(job.id, job.samples()))
                self._jobs.popleft()


class _Decoding:
    def __init__(self, job_id: str, codes: Codes, codec: Codec) -> None:
        self.id = job_id
        self._codec = codec
        self._stream: CodecStream = codec.stream()
        self._left = codes
        self._made: list[Samples] = []

    @property
    def done(self) -> bool:
        return not self._left.shape[1]

    def step(self) -> None:
        codes, self._left = self._left[:, :DECODE_FRAMES], self._left[:, DECODE_FRAMES:]
        if codes.shape[1]:
            self._made += self._codec.decode([self._stream], [np.ascontiguousarray(codes)])

    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self._made])


def failed(job_id: str, error: Exception) -> Failed:
    """What whoever asked is told; errors that are not ours go to the log and stay out of the message."""
    if isinstance(error, JuneError):
        return Failed(job_id, str(error), error.retryable)
    log.error("request failed", exc_info=error)
    return Failed(job_id, f"the engine could not do this ({type(error).__name__})", EngineFailed.retryable)


def _codec(codec: Codec | None) -> Codec:
    if codec is None:
        raise EngineFailed("the engine runs without a codec")
    return codec
