"""A model hub of Hugging Face's kind: which files a commit has, where they are, what a refusal means."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.models.snapshot import HubFile, commit, listed
from june_tts.models.web import Trusted, Web, check_address, without_secrets

HOME = "https://huggingface.co"
"""Where accounts and agreements are, also for those who fetch from a mirror."""

_MAX_REPLY_BYTES = 4 << 20
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TOKEN = re.compile("[!-~]{1,1000}")


class Hub:
    """One hub. Every call may raise ModelUnavailable, with words on access where that is what is missing."""

    def __init__(self, url: str, web: Web) -> None:
        """Raises: InvalidRequest, where `url` is not http or https."""
        check_address(url, "HF_ENDPOINT")
        self._url = url.rstrip("/")
        self._web = web

    def revision(self, repository: str, name: str) -> str:
        """The commit that a branch, a tag or a commit's own id stands for.

        Raises:
            InvalidRequest: `name` can be none of these.
        """
        if not _REVISION.fullmatch(name):
            raise InvalidRequest(f"revision {name!r}: expected a branch, tag or commit", param="revision")
        url = f"{self._url}/api/models/{repository}/revision/{quote(name)}"
        found = self._json(url)
        try:
            return commit(found["sha"])
        except (ValueError, KeyError, TypeError) as bad:
            raise _strange(url, "the commit") from bad

    def files(self, repository: str, revision: str, names: tuple[str, ...]) -> tuple[HubFile, ...]:
        """What the hub says of the named files of a commit, smallest first."""
        url = f"{self._url}/api/models/{repository}/tree/{revision}"
        try:
            found = {entry["path"]: listed(entry) for entry in self._json(url) if entry["path"] in names}
        except (ValueError, KeyError, TypeError) as bad:
            raise _strange(url, "a list of files") from bad
        if missing := [name for name in names if name not in found]:
            raise ModelUnavailable(
                f"{repository} at {revision[:12]} has no {', '.join(missing)}: not a repository that "
                "june-tts can use"
            )
        return tuple(sorted(found.values(), key=lambda file: file.size))

    def address(self, repository: str, revision: str, name: str) -> str:
        """Where a file is fetched; the hub redirects to its file store with a signed address."""
        return f"{self._url}/{repository}/resolve/{revision}/{quote(name)}"

    def _json(self, url: str) -> Any:
        try:
            return json.loads(self._web.read(url, _MAX_REPLY_BYTES))
        except (ValueError, RecursionError) as bad:
            raise _strange(url, "JSON") from bad


def trusted(url: str, repository: str, token: str | None) -> Trusted:
    """The hub as the one server that sees the token: over https, or on this machine."""
    return Trusted(url, lambda status, headers: _explained(repository, token, status, headers), token)


def may_see_token(url: str) -> bool:
    """Whether a token would travel unread by others."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def saved_token(home: Path) -> str | None:
    """The token that Hugging Face's own tools keep in their folder (`hf auth login`); None without one."""
    try:
        with (home / "token").open("rb") as file:
            found = file.read(1024).decode("ascii").strip()
    except (OSError, ValueError):
        return None
    return found if _TOKEN.fullmatch(found) else None


def _explained(repository: str, token: str | None, status: int, headers: Mapping[str, str]) -> str | None:
    """Words for the hub's refusals. It answers 401 and `GatedRepo` to a wrong token as to none at all."""
    code = headers.get("x-error-code", "")
    if code in ("RevisionNotFound", "EntryNotFound"):
        return f"{repository} has no such revision or file"
    if code != "RepoNotFound" and status not in (401, 403):
        return None
    page = f"{HOME}/{repository}"
    if token is None:
        return (
            f"it is given to those alone who accepted the licence: accept it at {page} with your account, "
            f"make a token at {HOME}/settings/tokens and set HF_TOKEN"
        )
    return (
        f"the token in use is not let in: see that it is valid and may read gated repositories, and accept "
        f"the licence at {page} with the account that it belongs to (HF_TOKEN sets another)"
    )


def _strange(url: str, expected: str) -> ModelUnavailable:
    return ModelUnavailable(f"{without_secrets(url)}: expected {expected}, as Hugging Face's API answers")
