"""Where a model's files lie and what is known of it before it is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PiperFiles:
    """One Piper voice on disk, as its config describes it."""

    id: str
    name: str
    model: Path
    config: Path
    languages: tuple[str, ...]
    """BCP 47, one tag: a Piper voice is trained for one language."""
    sample_rate: int
    """Hz."""
    license: str
    """As its model card states it, else "unknown"."""
    espeak_voice: str
    phoneme_type: str
    speakers: Mapping[str, int]
    """Speaker name to number; empty for a voice with one speaker."""
    num_speakers: int = 1
    version: str = ""
    """Changes with its files."""


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    """A Kokoro model, its voices (an .npz: voice id to float32 (510, 1, 256)) and its phoneme numbers."""

    model: Path
    voices: Path
    vocab: Mapping[str, int]
    license: str = "Apache-2.0"
    sample_rate: int = 24_000
    """Hz; the same for every published Kokoro model."""
