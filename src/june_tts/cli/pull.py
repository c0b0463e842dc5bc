"""What `june-tts models pull` does: agreement, progress, and words about what was fetched."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from june_tts.cli.output import note, notes
from june_tts.errors import InvalidRequest
from june_tts.models.catalogue import HubRelease, Release
from june_tts.models.fetch import Fetcher
from june_tts.models.hub import HOME, Hub, may_see_token, saved_token, trusted
from june_tts.models.pull import pull
from june_tts.models.repository import agreed_at, pull_repository
from june_tts.models.snapshot import HubFile, Snapshot
from june_tts.models.verified import Published
from june_tts.settings import Settings


def pull_release(found: Release, settings: Settings, variant: str | None, url: str | None) -> None:
    """A release whose files' hashes are known here."""
    fetcher = Fetcher()
    try:
        with _bars() as tell:

            def told(file: Published, done: int) -> None:
                tell(file.name, file.size, done)

            folder = pull(found, variant, settings.models_dir, fetcher, url=url, told=told)
    finally:
        fetcher.close()
    note(f"{found.title} ({found.license}) is in {folder}")
    note("A running server speaks its voices after a restart.")


def pull_from_hub(found: HubRelease, settings: Settings, revision: str | None, accepted: bool) -> None:
    """A release in a repository that is handed out against an agreement."""
    accepted_at = agreed_at(found, settings.models_dir) or _agree(found, accepted)
    fetcher = Fetcher(trusted=trusted(settings.hf_endpoint, found.repository, _token(settings)))
    try:
        hub = Hub(settings.hf_endpoint, fetcher.web)
        with _bars() as tell:

            def told(file: HubFile, done: int) -> None:
                tell(file.name, file.size, done)

            done = pull_repository(
                found,
                settings.models_dir,
                fetcher,
                hub,
                accepted_at=accepted_at,
                revision=revision,
                told=told,
            )
    finally:
        fetcher.close()
    _say(found, done, settings.models_dir / found.name)


def _say(found: HubRelease, done: Snapshot, folder: Path) -> None:
    note(f"{found.title}, commit {done.revision[:12]}, is in {folder}")
    note(f"Its licence is {found.license}: {found.terms}.")
    note(f"To speak cloned voices with it: LLAMA_CHECKPOINT_PATH={folder} june-tts serve")


def _agree(found: HubRelease, accepted: bool) -> str:
    """The moment of agreement. Raises: InvalidRequest, where there is none."""
    page = f"{HOME}/{found.repository}"
    note(f"{found.title} is under {found.license}: {found.terms}. The words that count: {page}")
    if not accepted and not _says_yes(found):
        raise InvalidRequest(
            f"{found.name}: fetched only once its licence is accepted: answer y, or add --accept-licence",
            param="accept_licence",
        )
    return datetime.now(UTC).isoformat(timespec="seconds")


def _says_yes(found: HubRelease) -> bool:
    try:
        return typer.confirm(f"Do you accept {found.license}?", err=True)
    except typer.Abort:  # the end of the input: nobody is there to ask
        sys.stderr.write("\n")
        return False


def _token(settings: Settings) -> str | None:
    home = settings.hf_home or Path("~/.cache/huggingface").expanduser()
    token = settings.hf_token.get_secret_value() if settings.hf_token else saved_token(home)
    if token and not may_see_token(settings.hf_endpoint):
        note(f"HF_ENDPOINT is {settings.hf_endpoint}, without https: the token is not sent there.")
        return None
    return token


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each file; called with its name, its size and how many bytes of it are there."""
    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=notes()) as bar:
        tasks = {}

        def tell(name: str, size: int, done: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=size)
            bar.update(tasks[name], completed=done)

        yield tell
