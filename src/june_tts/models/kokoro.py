"""Which Kokoro models and voices there are on this machine, and what a voice's id says about it."""

import zipfile
from pathlib import Path

from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import KOKORO_FP32, KOKORO_INT8, KOKORO_VOICES
from june_tts.models.embedded import Find, kokoro_int8, kokoro_vocab, package_folder, packaged_kokoro_voices
from june_tts.models.files import KokoroFiles
from june_tts.models.verified import is_verified

_LANGUAGES: dict[str, tuple[str, ...]] = {
    "a": ("en-US",),
    "b": ("en-GB",),
    "e": ("es",),
    "f": ("fr-FR",),
    "h": ("hi",),
    "i": ("it",),
    "p": ("pt-BR",),
    # espeak makes no phonemes that suit Japanese and Chinese; from English ones these voices speak English
    "j": ("en-US", "en-GB"),
    "z": ("en-US", "en-GB"),
}
_SEX = {"f": "female", "m": "male"}


def kokoro_files(models_dir: Path, find: Find = package_folder) -> list[KokoroFiles]:
    """The Kokoro to load: the pulled release where it is complete, else the packaged model with five voices.

    Blocks: the first call may join or hash a model (seconds).

    Raises:
        ModelUnavailable: neither is there.
    """
    if pulled := pulled_kokoro(models_dir):
        model, voices = pulled
        return [KokoroFiles(model, voices, kokoro_vocab(find))]
    return [kokoro_int8(models_dir, find)]


def pulled_kokoro(models_dir: Path) -> tuple[Path, Path] | None:
    """Model and voices of the pulled release, the variant to load; None unless it is complete."""
    folder = models_dir / "kokoro"
    voices = folder / KOKORO_VOICES.name
    if is_verified(voices, KOKORO_VOICES):
        # who pulled the large variant wants it used
        for published in (KOKORO_FP32, KOKORO_INT8):
            if is_verified(folder / published.name, published):
                return folder / published.name, voices
    return None


def installed_voices(models_dir: Path, find: Find = package_folder) -> tuple[str, ...]:
    """Ids of the voices that `kokoro_files` would bring, without joining or loading a model.

    Raises:
        ModelUnavailable: there are none.
    """
    pulled = pulled_kokoro(models_dir)
    return voice_ids_in(pulled[1] if pulled else packaged_kokoro_voices(find))


def kokoro_voice_ids(files: KokoroFiles) -> tuple[str, ...]:
    """Ids of the voices of a model, sorted, without reading their data. Raises: ModelUnavailable."""
    return voice_ids_in(files.voices)


def voice_ids_in(path: Path) -> tuple[str, ...]:
    """Ids in an .npz of voices, sorted.

    Raises:
        ModelUnavailable: the file is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as bad:
        raise ModelUnavailable(f"{path}: cannot be read ({bad})") from bad
    return tuple(sorted(name.removesuffix(".npy") for name in names))


def kokoro_languages(voice_id: str) -> tuple[str, ...]:
    """The languages a voice speaks well here, its own first; empty where its first letter is unknown."""
    return _LANGUAGES.get(voice_id[:1], ())


def kokoro_name(voice_id: str) -> str:
    """A name for people: "jf_alpha" is "Alpha (female)"."""
    prefix, _, name = voice_id.partition("_")
    sex = _SEX.get(prefix[1:2])
    shown = (name or voice_id).replace("_", " ").capitalize()
    return f"{shown} ({sex})" if sex else shown
