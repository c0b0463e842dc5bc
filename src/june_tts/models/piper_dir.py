"""The folder where users drop Piper voices: `<voice>.onnx` with `<voice>.onnx.json`, at its top level."""

import os
import re
from pathlib import Path

import structlog

from june_tts.models.files import PiperFiles
from june_tts.models.piper_config import read_voice

_log = structlog.get_logger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")

_Seen = tuple[int, int, int, int]
"""mtime (ns) and size of the model and of its config."""


class PiperDir:
    """What is in the folder now. A config is read once per change, so a scan costs one stat per file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[_Seen, PiperFiles | None]] = {}

    def voices(self) -> tuple[PiperFiles, ...]:
        """Every usable voice, by id. One that is broken is left out, with one warning per change of it."""
        found: dict[str, tuple[_Seen, PiperFiles | None]] = {}
        for model in self._models():
            seen = _seen(model)
            known = self._read.get(model.name)
            # the dict is swapped at the end, never edited: another thread may be scanning too
            found[model.name] = known if known and known[0] == seen else (seen, _voice(model))
        self._read = found
        return tuple(voice for _, (_, voice) in sorted(found.items()) if voice)

    def _models(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as entries:
                return [Path(entry.path) for entry in entries if entry.name.endswith(".onnx")]
        except OSError:
            return []  # no folder yet is the usual case


def _seen(model: Path) -> _Seen:
    return (*_state(model), *_state(model.with_name(f"{model.name}.json")))


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _voice(model: Path) -> PiperFiles | None:
    try:
        if not _ID.fullmatch(model.stem):
            raise ValueError("its name is no voice id: use letters, digits, '.', '_', '-' and '+'")
        return read_voice(model)
    except (OSError, ValueError) as bad:
        _log.warning("piper voice skipped", file=model.name, reason=str(bad))
        return None
