"""What a model's files have to be, looked at before anything is loaded: the first mistakes, in plain words.

No torch.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from june_tts.errors import ModelUnavailable
from june_tts.fish.config import ModelConfig

CONFIG = "config.json"
TABLES = ("tokenizer.tiktoken", "special_tokens.json")
WEIGHTS = ("model.safetensors.index.json", "model.safetensors", "model.pth")
"""The first that is there is taken."""
EXPECTED = (
    f"expected the folder of an OpenAudio S1 model, with {CONFIG}, {', '.join(TABLES)} and model.pth or "
    "model.safetensors (`june-tts models pull fish/s1-mini` fetches one)"
)
CODEC = "expected the codec's file, the codec.pth that is published with the model"
_POINTER = b"version https://git-lfs"
"""How the few lines begin that a clone without Git LFS has in the place of a large file."""


def check_checkpoint(folder: Path) -> None:
    """Raises: ModelUnavailable, naming whatever is missing, unreadable or of another model."""
    folder = folder.absolute()
    inside = _names(folder)
    if CONFIG in inside:
        _check_file(folder / CONFIG)
        ModelConfig.read(folder)
    weights = [name for name in WEIGHTS if name in inside]
    missing = [name for name in (CONFIG, *TABLES) if name not in inside]
    if missing or not weights:
        lacking = _listed([*missing, *([] if weights else ["model.pth or model.safetensors"])])
        raise ModelUnavailable(f"{folder} has no {lacking}: {_elsewhere(folder, inside) or EXPECTED}")
    for name in (*TABLES, weights[0]):
        _check_file(folder / name)


def weights_of(folder: Path) -> Path:
    """The file that the model's weights are in, or that lists those. Raises: ModelUnavailable."""
    inside = _names(folder)
    found = next((name for name in WEIGHTS if name in inside), None)
    if found is None:
        raise ModelUnavailable(f"{folder} has no weights: {EXPECTED}")
    return folder / found


def check_codec(path: Path) -> None:
    """Raises: ModelUnavailable, where there is no such file or it cannot be read."""
    path = path.absolute()
    if not os.path.lexists(path):
        raise ModelUnavailable(f"there is no codec {path}: {CODEC}")
    if path.is_dir():
        raise ModelUnavailable(f"{path} is a folder: {CODEC}")
    _check_file(path)


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        raise ModelUnavailable(f"there is no folder {folder}: {EXPECTED}") from None
    except NotADirectoryError:
        raise ModelUnavailable(f"{folder} is no folder: {EXPECTED}") from None
    except OSError as bad:
        raise ModelUnavailable(f"the folder {folder} cannot be read: {bad.strerror}") from bad


def _elsewhere(folder: Path, inside: Iterable[str]) -> str:
    """A folder in it that was meant, for it looks like a model's."""
    for name in sorted(inside):
        if (folder / name / CONFIG).is_file():
            return f"{CONFIG} is in {folder / name}; is that the model?"
    return ""


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_POINTER))
    except OSError as bad:
        raise ModelUnavailable(f"{path} cannot be read: {bad.strerror}") from bad
    if begin == _POINTER:
        raise ModelUnavailable(f"{path} is a pointer of Git LFS: `git lfs pull` puts the file in its place")
    if not begin:
        raise ModelUnavailable(f"{path} is empty")


def _listed(names: list[str]) -> str:
    return " and no ".join([", ".join(names[:-1]), names[-1]] if names[:-1] else names)
