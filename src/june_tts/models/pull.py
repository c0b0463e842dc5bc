"""Fetching all files of a release into the models folder."""

from collections.abc import Callable
from pathlib import Path

from june_tts.models.catalogue import Release
from june_tts.models.fetch import Fetcher
from june_tts.models.verified import Published

Told = Callable[[Published, int], object]
"""Hears of a file and of its bytes on disk so far."""


def pull(
    found: Release,
    variant: str | None,
    models_dir: Path,
    fetcher: Fetcher,
    *,
    url: str | None = None,
    told: Told = lambda file, done: None,
) -> Path:
    """Have the release in `models_dir`; what is there already is kept. Returns its folder.

    Args:
        url: folder to fetch from instead of the place of publication; the hashes stay the published ones.

    Raises:
        InvalidRequest: no such variant, or an address that is not http or https.
        ModelUnavailable: a file cannot be fetched; what was fetched stays for the next try.
    """
    base = (url or found.url).rstrip("/")
    folder = models_dir / found.name
    for file in found.files(variant):
        fetcher.fetch(f"{base}/{file.name}", folder / file.name, file, _telling(told, file))
        told(file, file.size)
    return folder


def _telling(told: Told, file: Published) -> Callable[[int], object]:
    return lambda done: told(file, done)
