"""Stand-ins for what the published reference imports and its arithmetic never calls (training, plots, files).

Without them the tests' lock would carry some eighty packages more. They are in `sys.modules` only while the
reference is being imported, so that whoever asks for the real ones later gets those or an honest ImportError.
"""

import functools
import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
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
    def __getattr__(self, name: str) -> Idle:
        return Idle().__getattr__(name)


class _IdlePackages(MetaPathFinder, Loader):
    """Finds the packages of `IDLE`, whatever lies in them."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if _package(fullname) in IDLE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _IdleModule(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


IDLE = {
    *("argbind", "hydra", "librosa", "lightning", "lightning_utilities", "loguru", "loralib", "natsort"),
    *("omegaconf", "pyaudio", "pydub", "pyrootutils", "pytorch_lightning", "torchaudio", "transformers"),
}


def _package(module: str) -> str:
    return module.partition(".")[0]


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if _package(name) in IDLE | {"audiotools"}]
    return {name: sys.modules.pop(name) for name in names}


@contextmanager
def standing_in() -> Iterator[None]:
    """Inside, stand-ins are imported, also where the real ones are installed; afterwards they are gone."""
    real, finder = _take_out(), _IdlePackages()
    audiotools, ml = _AudioTools("audiotools"), _AudioTools("audiotools.ml")
    audiotools.ml = ml  # type: ignore[attr-defined]
    sys.modules.update({"audiotools": audiotools, "audiotools.ml": ml})
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _take_out()
        sys.modules.update(real)


@functools.cache
def reference_module(name: str) -> Any:
    """A module of fish_speech or dac. Where they are not installed, the test is skipped, or fails in CI."""
    with standing_in(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they use what torch and pydantic have deprecated since
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as absent:
            missing(f"fish-speech 0.1.0 ({absent.name}); `make test` installs it and")
            raise
