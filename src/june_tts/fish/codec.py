"""The codec of OpenAudio S1-mini: codes to samples, whole or as streams, and recordings to codes.

44,100 samples a second, mono; a frame is ten codes and 2,048 samples (46.4 ms). Decoding looks back only, so
a stream's samples do not depend on how its frames are cut into chunks, nor on which streams share its batch.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from june_tts.errors import InvalidRequest
from june_tts.fish.codec_decoder import CODEBOOK_SIZES, Decoder
from june_tts.fish.codec_encoder import FRAME, WINDOWS, Encoder
from june_tts.fish.codec_stream import Carry, Stream, together
from june_tts.fish.codec_weights import CodecFile
from june_tts.fish.sequence import Codes
from june_tts.types import Samples

SAMPLE_RATE = 44_100
PASS_FRAMES = {"cpu": 24, "cuda": 512}
"""Frames of all streams together that go through the network at a time. A frame's largest layer takes 0.4 MB
in bfloat16 and twice that in float32; the longer the pass, the fewer times the weights are read, but on a CPU
the larger layers of a longer one come from fresh pages each time."""
BATCH_OVERHEAD = {"cpu": 2, "cuda": 128}
"""What one more batch costs, in frames: reading 0.37 GB of weights on a CPU, starting 400 kernels on a
GPU."""


class Codec:
    """Loads the decoding half; the encoding half follows with the first `encode`. Safe to share between
    threads, as long as each stream is used by one at a time."""

    sample_rate = SAMPLE_RATE
    samples_per_frame = FRAME
    codebooks = len(CODEBOOK_SIZES)

    def __init__(
        self,
        path: Path,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        windows: tuple[int, int] = WINDOWS,
    ) -> None:
        """`dtype` of decoding; encoding is always in float32. `windows`: how many positions the encoder's
        attention sees, and that before and after the quantizer; the file does not say.

        Raises: ModelUnavailable, naming the tensor that is missing or has another shape than expected.
        """
        self._path = path
        self._windows = windows
        self._device = torch.device(device)
        with torch.inference_mode():
            file = CodecFile.open(path)
            Encoder(file.shapes_only(), torch.device("cpu"), windows)
            self._decoder = Decoder(file, torch.empty(0, device=self._device, dtype=dtype), windows[1])
            self._silence = torch.zeros(self._decoder.layout.size, device=self._device, dtype=dtype)
        self._encoder: Encoder | None = None
        self._loading = threading.Lock()

    def stream(self) -> Stream:
        return Stream(self._silence)

    @property
    def stream_bytes(self) -> int:
        """What one stream carries."""
        return self._silence.nbytes

    @torch.inference_mode()
    def decode(self, streams: Sequence[Stream], codes: Sequence[Codes]) -> list[Samples]:
        """The next frames of several streams at once; of each, codes (10, frames) to 2,048 samples a frame.

        If it raises, no stream has moved on. Raises: InvalidRequest for codes of another shape or below 0.
        """
        if len(streams) != len(codes) or len({id(stream) for stream in streams}) != len(streams):
            raise InvalidRequest(
                f"{len(codes)} pieces of codes for {len(streams)} streams, expected one for each"
            )
        for piece in codes:
            _check(piece)
        lengths = [piece.shape[1] for piece in codes]
        groups = together(lengths, BATCH_OVERHEAD.get(self._device.type, BATCH_OVERHEAD["cuda"]))
        made = [self._batch([streams[i] for i in group], [codes[i] for i in group]) for group in groups]
        samples: list[Samples] = [np.empty(0, np.float32)] * len(streams)
        for group, (sound, _) in zip(groups, made, strict=True):
            for index, row in zip(group, sound.cpu().numpy(), strict=True):
                samples[index] = row[: lengths[index] * FRAME]
        for group, (_, histories) in zip(groups, made, strict=True):
            for index, history in zip(group, histories, strict=True):
                streams[index].history = history
                streams[index].frames += lengths[index]
        return samples

    def _batch(self, streams: Sequence[Stream], codes: Sequence[Codes]) -> tuple[Tensor, list[Tensor]]:
        """Samples (batch, longest * 2048), the shorter rows padded, and each stream's next history."""
        lengths = [piece.shape[1] for piece in codes]
        padded = np.zeros((len(codes), max(lengths), self.codebooks), np.int64)
        for row, piece in zip(padded, codes, strict=True):
            row[: piece.shape[1]] = piece.T
        columns = torch.from_numpy(padded).to(self._device)
        history = _stacked([stream.history for stream in streams])
        step = max(1, PASS_FRAMES.get(self._device.type, PASS_FRAMES["cuda"]) // len(streams))
        sound = [columns.new_empty(len(streams), 0, dtype=torch.float32)]
        for begin in range(0, max(lengths), step):
            starts = [stream.frames + begin for stream in streams]
            frames = [min(max(length - begin, 0), step) for length in lengths]
            carry = Carry(history, starts, frames)
            sound.append(self._decoder(carry, columns[:, begin : begin + step], max(starts)))
            history = carry.next
        return torch.cat(sound, dim=1), _apart(history)

    @torch.inference_mode()
    def encode(self, samples: Samples) -> Codes:
        """Codes (10, frames) of a recording at `sample_rate`, its end padded with zeros to a whole frame.

        Raises: InvalidRequest for no samples or such that are no numbers; ModelUnavailable where the file has
        gone.
        """
        if samples.ndim != 1 or not samples.size:
            raise InvalidRequest(
                f"samples have shape {samples.shape}, expected (n,) with n above 0", param="samples"
            )
        if not np.isfinite(samples).all():
            raise InvalidRequest("samples hold infinities or NaN, expected numbers", param="samples")
        sound = torch.from_numpy(np.ascontiguousarray(samples, np.float32)).to(self._device)
        return self._encoding_half().encode(sound).cpu().numpy().astype(np.int32)

    def _encoding_half(self) -> Encoder:
        with self._loading:
            if self._encoder is None:
                self._encoder = Encoder(CodecFile.open(self._path), self._device, self._windows)
            return self._encoder


def _check(codes: Codes) -> None:
    if codes.ndim != 2 or codes.shape[0] != len(CODEBOOK_SIZES):
        raise InvalidRequest(
            f"codes have shape {codes.shape}, expected ({len(CODEBOOK_SIZES)}, frames)", param="codes"
        )
    if not np.issubdtype(codes.dtype, np.integer):
        raise InvalidRequest(f"codes are {codes.dtype}, expected integers", param="codes")
    if codes.size and codes.min() < 0:
        raise InvalidRequest(f"a code is {codes.min()}, expected at least 0", param="codes")


def _stacked(histories: Sequence[Tensor]) -> Tensor:
    return histories[0][None] if len(histories) == 1 else torch.stack(list(histories))


def _apart(history: Tensor) -> list[Tensor]:
    """A vector for each stream. Copies: a view would keep the whole batch alive as long as its last
    stream."""
    return [history[0]] if len(history) == 1 else [row.clone() for row in history]
