"""Which requests the loop accepts: those that cannot harm the others."""

import numpy as np

from june_tts.errors import InvalidRequest, TextTooLong
from june_tts.fish.events import Request
from june_tts.fish.sequence import Columns, Runner


def check(request: Request, runner: Runner) -> None:
    """An id beyond an embedding's rows would take a GPU's whole context down, with every request in it.

    Raises: InvalidRequest, TextTooLong.
    """
    _check_shape(request.columns, runner)
    length = request.columns.shape[1]
    if length >= runner.positions:
        raise TextTooLong(
            f"the prompt has {length} positions, expected fewer than the model's {runner.positions}",
            param="columns",
        )
    if not 0 <= request.prefix < length:
        raise InvalidRequest(
            f"prefix is {request.prefix}, expected at least 0 and fewer than the {length} positions",
            param="prefix",
        )
    _check_values(request.columns, runner)


def _check_shape(columns: Columns, runner: Runner) -> None:
    rows = runner.codebooks + 1
    if columns.dtype != np.int32 or columns.ndim != 2 or columns.shape[0] != rows or not columns.shape[1]:
        raise InvalidRequest(
            f"columns are {columns.dtype} of shape {columns.shape}, expected int32 of ({rows}, positions)",
            param="columns",
        )


def _check_values(columns: Columns, runner: Runner) -> None:
    if columns[0].min() < 0:
        raise InvalidRequest(
            f"columns name the token {columns[0].min()}, expected at least 0", param="columns"
        )
    for book, size in enumerate(runner.codebook_sizes):
        codes = columns[book + 1]
        if codes.min() < 0 or codes.max() >= size:
            raise InvalidRequest(
                f"codebook {book} has codes from {codes.min()} to {codes.max()}, expected 0 to {size - 1}",
                param="columns",
            )
