"""Stand-ins for what the published reference imports and its arithmetic never calls (training, plots, files).

Without them the tests' lock would carry some eighty packages more. They are in `sys.modules` only while the
reference is being imported, so that whoever asks for the real ones later gets those or an honest ImportError.
"""

import functools
import importlib
import sys
import warnings
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Self

from torch import nn

from tests.services import missing


class Idle:
    """Takes every attribute and call, does nothing and is falsy: loggers, plot libraries, type names."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Self:
        return self

    def __bool__(self) -> bool:
        return False


class BaseModel(nn.Module):
    """In place of audiotools.ml.BaseModel, whose rest saves and loads files."""

    INTERN: Sequence[str] = []
    EXTERN: Sequence[str] = []

    @property
    def device(self) -> Any:
        return next(self.parameters()).device


class _AudioTools(ModuleType):
    """The names that dac and fish_speech take from audiotools when they are imported."""

    AudioSignal = STFTParams = Accelerator = Idle
    BaseModel = BaseModel


class _IdleModule(ModuleType):
    __path__: MutableSequence[str] = []
    """So that it may have submodules."""

    def __getattr__(self, name: str) -> Idle:
        return Idle().__getattr__(name)


_IDLE = (
    *("argbind", "hydra", "hydra.utils", "librosa", "loguru", "loralib", "omegaconf", "pyrootutils"),
    *("torchaudio", "transformers"),
)


def _stand_ins() -> dict[str, ModuleType]:
    audiotools, ml = _AudioTools("audiotools"), _AudioTools("audiotools.ml")
    audiotools.ml = ml  # type: ignore[attr-defined]
    return {name: _IdleModule(name) for name in _IDLE} | {"audiotools": audiotools, "audiotools.ml": ml}


@contextmanager
def _standing_in() -> Iterator[None]:
    modules = _stand_ins()
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


@functools.cache
def reference_module(name: str) -> Any:
    """A module of fish_speech or dac. Where they are not installed, the test is skipped, or fails in CI."""
    with _standing_in(), warnings.catch_warnings():
        # dac compiles an activation with torch.jit, which torch has deprecated since
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated", category=FutureWarning)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as absent:
            missing(f"fish-speech 0.1.0 ({absent.name}); `make test` installs it and")
            raise
