"""Modules of the published reference for tests, with stand-ins for what its arithmetic never calls."""

import functools
from typing import Any

from june_tts.fish.peer import peer_module, standing_in
from tests.services import missing

__all__ = ["reference_module", "standing_in"]


@functools.cache
def reference_module(name: str) -> Any:
    """A module of fish_speech, dac or tools; without them the test is skipped, or fails in CI."""
    try:
        return peer_module(name)
    except ModuleNotFoundError as absent:
        missing(f"fish-speech 0.1.0 ({absent.name}); `make test` installs it and")
        raise
