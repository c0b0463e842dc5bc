"""The pause after a turn is that of the last piece in it."""

from collections.abc import AsyncIterator

import pytest

from june_tts.engine.fish_pauses import Pauses
from june_tts.types import Pause, Piece

pytestmark = pytest.mark.unit


async def given(*pieces: Piece) -> tuple[Pauses, list[str]]:
    """Pauses that have seen these pieces, and what they made of them."""

    async def source() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield piece

    pauses = Pauses()
    return pauses, [text async for text in pauses.texts(source())]


async def test_a_paragraph_ends_with_a_newline_and_nothing_else_does() -> None:
    _, texts = await given(Piece("One,", "clause"), Piece("two.", "sentence"), Piece("Three.", "paragraph"))
    assert texts == ["One,", "two.", "Three.\n"]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (["One, two.", "Three.", "Four."], ["sentence", "paragraph", "sentence"]),
        (["One,", "two. Three.", "Four."], ["clause", "paragraph", "sentence"]),
        (["One, two. Three.", "Fo", "ur."], ["paragraph", "none", "sentence"]),
    ],
)
async def test_turns_of_whole_pieces_and_of_parts_of_one(turns: list[str], expected: list[Pause]) -> None:
    pauses, _ = await given(
        Piece("One,", "clause"), Piece("two.", "sentence"), Piece("Three.", "paragraph"), Piece("Four.")
    )
    assert [pauses.after(turn) for turn in turns] == expected


async def test_pieces_that_are_alike_each_count_once() -> None:
    pauses, _ = await given(Piece("No.", "sentence"), Piece("No.", "paragraph"), Piece("No.", "clause"))
    assert [pauses.after("No."), pauses.after("No."), pauses.after("No.")] == [
        "sentence",
        "paragraph",
        "clause",
    ]


async def test_a_piece_without_words_holds_nothing_up() -> None:
    pauses, _ = await given(Piece("…", "paragraph"), Piece("Yes.", "clause"))
    assert pauses.after("Yes.") == "clause"
