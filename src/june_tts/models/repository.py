"""Fetching a repository of a model hub into the models folder: all of one commit, or nothing of it."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import HubRelease
from june_tts.models.fetch import Fetcher
from june_tts.models.hub import Hub
from june_tts.models.snapshot import HubFile, Snapshot, read_snapshot
from june_tts.models.verified import stamp

Told = Callable[[HubFile, int], object]
"""Hears of a file and of its bytes on disk so far."""

_INCOMING = "incoming"
"""Folder inside the release's own: what was fetched waits here until all of it is there."""
_LOCK_SECONDS = 3600.0
"""For another process that pulls the same release."""
_MOST_SMALL_BYTES = 16 << 20
"""Hugging Face takes no file above 10 MB into git itself."""


def agreed_at(found: HubRelease, models_dir: Path) -> str | None:
    """When the licence was agreed to at an earlier pull; None where it was not, or was another one."""
    folder = models_dir / found.name
    kept = read_snapshot(folder / _INCOMING) or read_snapshot(folder)
    return kept.accepted_at if kept and kept.license == found.license else None


def pull_repository(
    found: HubRelease,
    models_dir: Path,
    fetcher: Fetcher,
    hub: Hub,
    *,
    accepted_at: str,
    revision: str | None = None,
    told: Told = lambda file, done: None,
) -> Snapshot:
    """Have one commit in `models_dir`; what is there already is kept, without asking the hub.

    The folder never holds files of two commits: they take their places together, after the last was checked.

    Args:
        accepted_at: when the user agreed to the licence, ISO 8601.
        revision: branch, tag or commit; None for the one pulled before, or the newest.

    Raises:
        InvalidRequest: `revision` can be none of these.
        ModelUnavailable: a file cannot be fetched; what was fetched stays for the next try.
    """
    folder = models_dir / found.name
    with _alone_in(folder):
        wanted = _wanted(found, folder, hub, accepted_at, revision)
        if wanted == read_snapshot(folder) and wanted.is_whole(folder):
            return wanted
        incoming = folder / _INCOMING
        incoming.mkdir(exist_ok=True)
        wanted.write(incoming)
        missing = [file for file in wanted.files if not file.is_at(folder / file.name)]
        fetcher.check_space(folder, _left(missing, incoming), found.name)
        for file in missing:
            address = hub.address(wanted.repository, wanted.revision, file.name)
            _fetch(fetcher, address, file, incoming / file.name, told)
        return _put_in_place(wanted, missing, incoming, folder)


def _wanted(found: HubRelease, folder: Path, hub: Hub, accepted_at: str, revision: str | None) -> Snapshot:
    """The commit of an earlier pull, an interrupted one first, where it is the one that is asked for."""
    known = [kept for kept in (read_snapshot(folder / _INCOMING), read_snapshot(folder)) if kept]
    known = [kept for kept in known if _same(kept, found)]
    if revision is None and known:
        return known[0]
    commit = hub.revision(found.repository, revision or "main")
    for kept in known:
        if kept.revision == commit:
            return kept
    files = hub.files(found.repository, commit, found.files)
    return Snapshot(found.repository, commit, files, found.license, accepted_at)


def _same(kept: Snapshot, found: HubRelease) -> bool:
    names = {file.name for file in kept.files}
    return kept.repository == found.repository and names == set(found.files)


def _left(missing: Sequence[HubFile], incoming: Path) -> int:
    """Bytes still to fetch."""
    return sum(file.size - _there(incoming / file.name, file) for file in missing)


def _there(path: Path, file: HubFile) -> int:
    for candidate in (path, path.with_name(f"{path.name}.part")):
        if candidate.exists():
            return min(candidate.stat().st_size, file.size)
    return 0


def _fetch(fetcher: Fetcher, address: str, file: HubFile, target: Path, told: Told) -> None:
    if published := file.published():
        fetcher.fetch(address, target, published, lambda done: told(file, done))
    else:
        _write_durably(target, _small(fetcher, address, file))
    told(file, file.size)


def _small(fetcher: Fetcher, address: str, file: HubFile) -> bytes:
    content = fetcher.web.read(address, _MOST_SMALL_BYTES)
    if not file.fits(content):
        raise ModelUnavailable(
            f"{address}: {len(content)} bytes that are not git's blob {file.blob} of {file.size} bytes"
        )
    return content


def _write_durably(target: Path, content: bytes) -> None:
    with target.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _put_in_place(wanted: Snapshot, missing: Sequence[HubFile], incoming: Path, folder: Path) -> Snapshot:
    """Killed in the middle, it leaves `incoming` with its note, and the next pull goes on from there."""
    for file in missing:
        (incoming / file.name).replace(folder / file.name)
    done = wanted.hashed(folder)
    for file in done.files:
        if file.sha256:
            stamp(folder / file.name, file.sha256)
    done.write(folder)
    shutil.rmtree(incoming)
    return done


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "pull.lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as busy:
        raise ModelUnavailable(f"{folder}: another process is still fetching it") from busy
    except OSError as bad:
        raise ModelUnavailable(f"{folder}: cannot be written ({bad})") from bad
