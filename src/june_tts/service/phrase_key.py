"""What a phrase is kept under: a digest of everything that is heard in it."""

from dataclasses import dataclass, replace
from hashlib import sha256

from june_tts.service.request_rules import longest_piece
from june_tts.service.synthesis import Settled
from june_tts.types import SpeechRequest

SCHEME = 1
"""Counted up when what is kept under a key changes its form."""


@dataclass(frozen=True, slots=True)
class Order:
    """A phrase as it is asked for. It outlives its request, so of the text there is a digest alone."""

    request: SpeechRequest
    """Without its text and its id."""
    characters: int
    text: bytes
    """SHA-256."""
    coding: str
    """How it is encoded and wrapped: the same name, the same bytes for the same samples."""


def order(request: SpeechRequest, coding: str) -> Order:
    # a text may have lone surrogates in it, which only the checks that follow refuse
    text = sha256(request.text.encode("utf-8", "surrogatepass")).digest()
    return Order(replace(request, request_id="", text=""), len(request.text), text, coding)


def phrase_key(asked: Order, settled: Settled, code: str) -> bytes:
    """SHA-256; `code` names the program that turns text into audio."""
    utterance, able = settled.utterance, settled.able
    # all that was asked for, so that a field that is added to requests is never forgotten here
    longest = longest_piece(asked.request, able)
    wish = replace(asked.request, voice_id="", language=None, piece_chars=longest)
    heard = (
        *(SCHEME, code, able.engine, able.fingerprint, able.first_piece_chars, able.piece_chars),
        *(utterance.voice.id, utterance.voice.version, utterance.language),
        *(wish, asked.coding, asked.text),
    )
    return sha256(repr(heard).encode()).digest()
