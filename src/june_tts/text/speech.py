"""The ways into this package: a text in pieces, lazily, normalised or as it stands; or its whole in words."""

from collections.abc import Iterator

from june_tts.text.blocks import Block, blocks
from june_tts.text.normalise import normalize_block
from june_tts.text.split import Splitter
from june_tts.text.tidy import close, has_speech
from june_tts.types import Piece

_JOINTS = {"paragraph": "\n", "hard": ""}


def speakable(text: str, language: str, *, first_chars: int, piece_chars: int) -> Iterator[Piece]:
    """Cut a text into pieces that read as a person would say them.

    Lazy and in constant memory: a piece costs the normalisation of a few hundred characters, however long the
    text is. Nothing comes out where there is nothing to speak.

    Args:
        text: as written; may hold Markdown, emoji, control characters.
        language: BCP 47 tag; English has rules of its own, others have numbers spelled.
        first_chars: longest first piece, where its sentence has a border to cut at.
        piece_chars: longest piece.
    """
    splitter = Splitter(first_chars, piece_chars)
    for words in _normalized(text, language):
        splitter.feed(words)
        yield from splitter.ready()
    yield from splitter.ready(final=True)


def verbatim(text: str, language: str, *, first_chars: int, piece_chars: int) -> Iterator[Piece]:
    """Pieces of a text that is to be spoken as it stands: cut, but not normalised; see `speakable`."""
    splitter = Splitter(first_chars, piece_chars)
    splitter.feed(" ".join(text.split()))
    yield from splitter.ready(final=True)


def normalize(text: str, language: str) -> str:
    """The whole text in words, one paragraph per line."""
    return "".join(_normalized(text, language)).strip()


def _normalized(text: str, language: str) -> Iterator[str]:
    """Stretches of words, each ending with what separates it from the next one."""
    held, joint = "", ""
    for block in blocks(text):
        spoken = words(block, language)
        if spoken:
            if held:
                yield held + joint
            held, joint = spoken, ""
        joint = _JOINTS.get(block.border, " ") if joint != "\n" else joint
    if held:
        yield close(held)


def words(block: Block, language: str) -> str:
    """One block in words, one paragraph per line; empty where it has no sound."""
    if not has_speech(block.text):
        return ""
    lines = normalize_block(block.text, language, within_line=block.within_line).split("\n")
    closed = len(lines) if block.border in ("paragraph", "end") else len(lines) - 1
    return "\n".join(close(line) if i < closed else line for i, line in enumerate(lines))
