"""What a made column means: audio or not, and whether its sequence goes on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from june_tts.errors import EngineFailed
from june_tts.fish.sequence import Column, Runner, Stop
from june_tts.fish.stream import Stream


class Verdict:
    """Books columns on their streams.

    The column of `<|im_end|>` is no audio, also if it is the first one, and the last frame of a sequence that
    ends at its limit is: fish-speech 0.1.0 never looks at its first column, and always drops the last.
    """

    def __init__(self, runner: Runner, *, illegal_guard: int) -> None:
        self._slow = range(runner.semantic_begin, runner.semantic_end + 1)
        self._im_end = runner.im_end
        self._sizes = np.array(runner.codebook_sizes, np.int32)
        self._positions = runner.positions
        self._illegal_guard = illegal_guard

    def book(self, streams: Sequence[Stream], columns: Sequence[Column], now: float) -> None:
        """Take what a step made for these streams, and set `stop` on those that are over.

        Raises: EngineFailed, before anything is booked.
        """
        codes = self._checked(streams, columns)
        legal = np.asarray(((codes >= 0) & (codes < self._sizes)).all(axis=1)).tolist()
        for stream, column, row, codes_legal in zip(streams, columns, codes, legal, strict=True):
            self._book(stream, column.token, row, codes_legal)
            stream.last_frame_at = now
            if stream.first_frame_at is None:
                stream.first_frame_at = now

    def _checked(self, streams: Sequence[Stream], columns: Sequence[Column]) -> NDArray[np.int32]:
        """All codes, shape (streams, codebooks). A copy: the runner may use its buffers again."""
        slots, made = [stream.slot for stream in streams], [column.slot for column in columns]
        if slots != made:
            raise EngineFailed(f"a step made columns for the slots {made}, expected {slots}")
        if not columns:
            return np.zeros((0, len(self._sizes)), np.int32)
        codes = np.array([column.codes for column in columns], np.int32)
        if codes.shape[1:] != self._sizes.shape:
            raise EngineFailed(f"a column has codes of shape {codes.shape[1:]}, expected {self._sizes.shape}")
        return codes

    def _book(self, stream: Stream, token: int, codes: NDArray[np.int32], codes_legal: bool) -> None:
        stream.made += 1
        if stream.request.keep_columns:
            stream.columns.append((token, codes))
        if token == self._im_end:
            stream.stop = Stop.END
            return
        self._count_same(stream, token)
        if codes_legal and token in self._slow:
            stream.illegal_in_row = 0
            stream.pending.append(codes)
        else:  # dropped: the model has it as its next input all the same, and usually finds back
            stream.illegal += 1
            stream.illegal_in_row += 1
        stream.stop = self._stop(stream)

    def _count_same(self, stream: Stream, token: int) -> None:
        stream.same_in_row = stream.same_in_row + 1 if token == stream.last_token else 1
        stream.last_token = token

    def _stop(self, stream: Stream) -> Stop | None:
        params = stream.request.params
        if stream.same_in_row == params.repeat_guard:
            return Stop.REPEAT
        if stream.illegal_in_row == self._illegal_guard and self._illegal_guard:
            return Stop.ILLEGAL
        if stream.made == params.max_frames:
            return Stop.LIMIT
        # the frame just made would be the next input, at position length + made - 1
        return Stop.CONTEXT if stream.length + stream.made - 1 >= self._positions else None
