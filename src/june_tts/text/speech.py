"""The ways into this package: a text in pieces, lazily, normalised or as it stands; or its whole in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from june_tts.text.blocks import Block, blocks
from june_tts.text.normalise import normalize_block
from june_tts.text.split import Splitter
from june_tts.text.tidy import close, has_speech
from june_tts.text.written import written_words
from june_tts.types import Piece, WrittenWord


@dataclass(frozen=True, slots=True)
class Wording:
    """Text in words, and which of what was written it says."""

    text: str = ""
    words: Sequence[WrittenWord] = ()


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
    for wording in _normalized(text, language):
        splitter.feed(wording.text, wording.words)
        yield from splitter.ready()
    yield from splitter.ready(final=True)


def verbatim(text: str, language: str, *, first_chars: int, piece_chars: int) -> Iterator[Piece]:
    """Pieces of a text that is to be spoken as it stands: cut, but not normalised; see `speakable`."""
    splitter = Splitter(first_chars, piece_chars)
    splitter.feed(" ".join(text.split()))
    yield from splitter.ready(final=True)


def normalize(text: str, language: str) -> str:
    """The whole text in words, one paragraph per line."""
    return "".join(wording.text for wording in _normalized(text, language)).strip()


def _normalized(text: str, language: str) -> Iterator[Wording]:
    """Stretches of words, each ending with what separates it from the next one."""
    held, joint = Wording(), ""
    for block in blocks(text):
        spoken = in_words(block, language)
        if spoken.text:
            if held.text:
                yield Wording(held.text + joint, held.words)
            held, joint = spoken, ""
        joint = _JOINTS.get(block.border, " ") if joint != "\n" else joint
    if held.text:
        yield Wording(close(held.text), held.words)


def in_words(block: Block, language: str) -> Wording:
    """One block in words, one paragraph per line; empty where it has no sound."""
    text = _words(block, language)
    if not text:
        return Wording()
    return Wording(text, written_words(block.text, text, lambda word: normalize_block(word, language)))


def _words(block: Block, language: str) -> str:
    if not has_speech(block.text):
        return ""
    lines = normalize_block(block.text, language, within_line=block.within_line).split("\n")
    closed = len(lines) if block.border in ("paragraph", "end") else len(lines) - 1
    return "\n".join(close(line) if i < closed else line for i, line in enumerate(lines))
