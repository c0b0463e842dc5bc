"""Which Kokoro models and voices there are on this machine, and what a voice's id says about it."""

import zipfile
from pathlib import Path

from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import KOKORO_FP32, KOKORO_INT8, KOKORO_VOICES
from june_tts.models.embedded import Find, kokoro_int8, kokoro_vocab, package_folder
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
    folder = models_dir / "kokoro"
    voices = folder / KOKORO_VOICES.name
    if is_verified(voices, KOKORO_VOICES):
        # who pulled the large variant wants it used
        for published in (KOKORO_FP32, KOKORO_INT8):
            if is_verified(folder / published.name, published):
                return [KokoroFiles(folder / published.name, voices, kokoro_vocab(find))]
    return [kokoro_int8(models_dir, find)]


def kokoro_voice_ids(files: KokoroFiles) -> tuple[str, ...]:
    """Ids of the voices in a file, sorted, without reading their data.

    Raises:
        ModelUnavailable: the file is missing or damaged.
    """
    try:
        with zipfile.ZipFile(files.voices) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as bad:
        raise ModelUnavailable(f"{files.voices}: cannot be read ({bad})") from bad
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
