"""fish-speech 0.1.0 where it is installed, for measuring beside it.

It imports much that its arithmetic never calls (training, plots, other people's services). While it is being
imported, stand-ins take the place of those packages, so that they need not be installed.
"""

import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import torch
from torch import nn

from june_tts.errors import ModelUnavailable
from june_tts.fish.sequence import Columns

IDLE = {
    *("argbind", "hydra", "librosa", "lightning", "lightning_utilities", "loguru", "loralib", "natsort"),
    *("omegaconf", "pyaudio", "pydub", "pyrootutils", "pytorch_lightning", "torchaudio", "transformers"),
}
WARM_FRAMES = 1


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


def peer_module(name: str) -> Any:
    """A module of fish_speech or dac. Raises: ModuleNotFoundError."""
    with standing_in(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they use what torch and pydantic have deprecated since
        return importlib.import_module(name)


class Peer:
    """fish-speech 0.1.0 with a checkpoint, one stream, which is all it serves; its prompt is computed."""

    def __init__(self, folder: Path, dtype: torch.dtype, prompt: Columns) -> None:
        """Raises: ModelUnavailable where it is not installed."""
        try:
            self._inference = peer_module("fish_speech.models.text2semantic.inference")
            llama = peer_module("fish_speech.models.text2semantic.llama")
        except ModuleNotFoundError as absent:
            raise ModelUnavailable(
                f"the reference needs fish-speech 0.1.0 ({absent.name} is missing)"
            ) from absent
        self._inference.tqdm = iter
        model = llama.DualARTransformer.from_pretrained(str(folder.resolve()), load_weights=True)
        self._model = model.to(dtype).eval()
        self._model.setup_caches(max_batch_size=1, max_seq_len=model.config.max_seq_len, dtype=dtype)
        self._given: dict[str, Any] = {
            name: torch.tensor(value, dtype=torch.bfloat16)
            for name, value in (("temperature", 0.8), ("top_p", 0.8), ("repetition_penalty", 1.1))
        }
        self._given |= {"audio_masks": None, "audio_parts": None}
        self._length = prompt.shape[1]
        with torch.inference_mode():
            made = self._inference.decode_one_token_ar(
                self._model, torch.from_numpy(prompt)[None], torch.arange(self._length), **self._given
            )
        self._first = made.view(1, -1, 1)

    def seconds_per_frame(self, frames: int) -> float:
        """Of so many frames after the prompt."""
        place = torch.tensor([self._length], dtype=torch.int)
        began = time.perf_counter()
        with torch.inference_mode():
            made = self._inference.decode_n_tokens(self._model, self._first, place, frames, **self._given)
        return (time.perf_counter() - began) / int(made.shape[1])


def measure_peer(folder: Path, frames: int, prompt: Columns, say: Callable[[str], None]) -> dict[str, Any]:
    """Frames a second of the reference on the same checkpoint and prompt, in float32 and in bfloat16, since
    which is faster depends on the machine. Raises: ModelUnavailable."""
    runs = []
    for dtype in (torch.bfloat16, torch.float32):
        peer = Peer(folder, dtype, prompt)
        peer.seconds_per_frame(WARM_FRAMES)
        seconds = peer.seconds_per_frame(frames)
        name = str(dtype).removeprefix("torch.")
        runs.append(
            {"dtype": name, "frames_per_s": round(1 / seconds, 3), "step_ms": round(1000 * seconds, 1)}
        )
        say(f"fish-speech 0.1.0, {name}: {runs[-1]['frames_per_s']} frames/s")
    return {"implementation": "fish-speech 0.1.0", "runs": runs}
