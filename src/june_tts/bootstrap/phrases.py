"""Speech that is kept, and what names the program that made it."""

import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from june_tts.cache import Shared
from june_tts.cache.doorkeeper import Doorkeeper
from june_tts.cache.phrases import PhraseMemory
from june_tts.cache.phrases_shared import SharedPhrases
from june_tts.cache.voices import CachedVoices
from june_tts.errors import SettingsError, shown
from june_tts.http.services import Services
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import Listed, read_list
from june_tts.service.phrase_shelf import PhraseShelf
from june_tts.service.phrases import PhraseRules, Phrases
from june_tts.service.synthesis import Synthesizer
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics

HEARD = ("audio", "engine", "fish", "models", "service", "text")
"""Packages whose code is heard in what is spoken."""
MIB, KIB = 1 << 20, 1 << 10
MOST_LIST_BYTES = 4 * MIB


def phrases_of(
    settings: Settings,
    synthesizer: Synthesizer,
    shared: Shared | None,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Phrases:
    """The cache of phrases; one that keeps nothing where JUNE_PHRASE_MB is 0."""
    memory = PhraseMemory(most_bytes=round(settings.phrase_mb * MIB), seconds=settings.phrase_seconds)
    metrics.phrases.watch(lambda: memory.bytes, lambda: len(memory))
    on = settings.phrase_mb > 0
    far = SharedPhrases(shared, seconds=settings.phrase_seconds) if shared and on else None
    shelf = PhraseShelf(memory, far, metrics.phrases, most_bytes=settings.phrase_kb * KIB if on else 0)
    stack.push_async_callback(shelf.close)
    rules = PhraseRules(code_of(), settings.phrase_random)
    return Phrases(synthesizer, shelf, Doorkeeper(), metrics.phrases, rules)


def book_of(listed: Sequence[Listed], services: Services, stack: AsyncExitStack) -> PhraseBook:
    """The phrases of JUNE_PHRASES, being made from now on."""
    book = PhraseBook(services.phrases, listed)
    services.library.on_removed(services.phrases.shelf.forget)
    if isinstance(services.store, CachedVoices):
        services.store.on_change(book.changed)
    stack.push_async_callback(book.close)
    book.start()
    return book


def listed_in(settings: Settings) -> list[Listed]:
    """The phrases of JUNE_PHRASES. Raises: SettingsError, naming file and line."""
    path = settings.phrases_file
    if path is None:
        return []
    if not settings.phrase_mb:
        raise SettingsError("JUNE_PHRASES is set, and JUNE_PHRASE_MB is 0: expected room for its phrases")
    try:
        return read_list(_written(path))
    except SettingsError as bad:
        raise SettingsError(f"JUNE_PHRASES={shown(str(path), 200)}: {bad}") from None


def _written(path: Path) -> str:
    try:
        with path.open("rb") as file:
            written = file.read(MOST_LIST_BYTES + 1)
    except (OSError, ValueError) as bad:
        raise SettingsError(f"cannot be read ({getattr(bad, 'strerror', None) or 'not a path'})") from None
    if len(written) > MOST_LIST_BYTES:
        raise SettingsError(f"is too long: expected at most {MOST_LIST_BYTES} bytes")
    try:
        return written.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError("is not UTF-8") from None


def code_of() -> str:
    """A digest of the code that turns text into audio: what another release has made may sound different."""
    digest = hashlib.sha256(version("june-tts").encode())
    for name in HEARD:
        _add(digest, files("june_tts") / name)
    return digest.hexdigest()[:32]


def _add(digest: "hashlib._Hash", place: Traversable) -> None:
    for entry in sorted(place.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            _add(digest, entry)
        elif entry.name.endswith(".py"):
            digest.update(entry.read_bytes())
