"""Runs fish-speech's own `tools/api_client.py`, as it was published: `python -m tests.fish_client OPTIONS`.

Only the sound card has a stand-in, and what the package imports besides and the client never uses.
"""

import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.stand_ins import standing_in


class Card:
    """A sound card that takes everything."""

    def open(self, **_: Any) -> "Card":
        return self

    def get_sample_size(self, _: int) -> int:
        return 2

    def write(self, _: bytes) -> None: ...

    def close(self) -> None: ...

    def terminate(self) -> None: ...


class AudioSegment:
    @classmethod
    def from_file(cls, *_: Any, **__: Any) -> "AudioSegment":
        return cls()


def _module(name: str, **inside: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(inside)
    return module


def client() -> Path | None:
    """Where it is installed."""
    found = importlib.util.find_spec("fish_speech")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]).parent / "tools" / "api_client.py"
    return path if path.exists() else None


def main() -> None:
    path = client()
    if path is None:
        raise SystemExit("fish-speech is not installed")
    with standing_in():
        sys.modules |= {
            "pyaudio": _module("pyaudio", PyAudio=Card, paInt16=8),
            "pydub": _module("pydub", AudioSegment=AudioSegment),
            "pydub.playback": _module("pydub.playback", play=lambda _: None),
        }
        runpy.run_path(str(path), run_name="__main__")


if __name__ == "__main__":
    main()
