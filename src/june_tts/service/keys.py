"""API keys in memory: what every request is checked against, brought up to date behind its back."""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog

from june_tts.errors import StoreUnavailable, Unauthorized
from june_tts.ports import KeyStore
from june_tts.service.key_text import digest, read
from june_tts.telemetry.metrics.access import AccessMetrics
from june_tts.types import SCOPES, ApiKey, Caller, KeyLimits

LOOK_SECONDS = 0.5
"""Between two looks at the store: a key that is revoked anywhere is refused everywhere within a second."""

Reason = Literal["missing", "wrong", "revoked", "expired"]
SAID: Mapping[Reason, str] = {
    "missing": "the API key is missing: send `Authorization: Bearer <key>` or `xi-api-key: <key>`",
    # one sentence for an id that nobody has and a secret that does not fit: the ids are nobody's business
    "wrong": "the API key is wrong: send `Authorization: Bearer <key>` or `xi-api-key: <key>`",
    "revoked": "this API key was revoked: ask for another",
    "expired": "this API key has expired: ask for another",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SettingsKey:
    """A key out of the settings: it may do everything, and is there without a database."""

    key_id: str
    """Of the caller that has it; shorter than those of kept keys, which have 12 characters."""
    setting: str
    """The name of the setting."""
    secret: str


class KeyRing:
    """Every key there is. A wrong one costs a hash and a look into a dictionary: neither the database nor
    memory, however many come."""

    def __init__(
        self,
        store: KeyStore | None,
        given: tuple[SettingsKey, ...],
        metrics: AccessMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`refresh` before the first use. `store`: None where settings alone say who may call."""
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._callers: dict[str, Caller] = {}
        self._seen = 0
        self._away = False
        self._doubtful = False
        self._asked = False
        self.give(given)
        metrics.watch_keys(lambda: len(self._keys))

    def give(self, given: tuple[SettingsKey, ...]) -> None:
        """Take these keys of the settings in place of those before."""
        self._given = tuple(
            (Caller(key.key_id, key.setting, frozenset(SCOPES)), digest(key.secret)) for key in given
        )

    @property
    def asks(self) -> bool:
        """Whether a key is asked for. Once there has been one, for ever: neither revoking the last one nor a
        slip in new settings may open the server to all."""
        self._asked = self._asked or bool(self._given or self._keys)
        return self._asked

    def find(self, *sent: str) -> Caller:
        """The caller of the first key that is good, of those that were sent. Raises: Unauthorized."""
        reason: Reason = "missing"
        for text in filter(None, sent):
            found = self._judge(text)
            if isinstance(found, Caller):
                return found
            reason = found
        self._metrics.failures.labels(reason).inc()
        raise Unauthorized(SAID[reason])

    def limits(self, key_id: str) -> KeyLimits:
        """Of a caller that was let in before; one of the settings has none of its own.

        Raises:
            Unauthorized: the key was revoked since, or has expired.
        """
        key = self._keys.get(key_id)
        if key is None:
            return _NONE
        if gone := self._gone(key):
            self._metrics.failures.labels(gone).inc()
            raise Unauthorized(SAID[gone])
        return key.limits

    def doubt(self) -> None:
        """Read every key anew with the next refresh: the database may be another one, out of a backup."""
        self._doubtful = True

    async def refresh(self) -> None:
        """Read what changed. Raises: StoreUnavailable."""
        if self._store is None:
            return
        doubtful, self._doubtful = self._doubtful, False
        try:
            found = await self._store.since(0 if doubtful else self._seen)
        except StoreUnavailable:
            self._doubtful |= doubtful
            raise
        if doubtful:
            self._keys, self._callers, self._seen = {}, {}, 0
        for key in found:
            if key.revision > self._seen:
                self._keys[key.key_id] = key
                self._callers[key.key_id] = Caller(key.key_id, key.name, key.scopes)
                self._seen = key.revision

    async def watch(self) -> None:
        """Refresh for ever. While the database is away the keys that are known go on working."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Refresh where that is possible; one line in the log for an outage."""
        try:
            await self.refresh()
        except StoreUnavailable as gone:
            if not self._away:
                log.warning("keys cannot be read: those known go on working", reason=str(gone))
            self._away = True
        else:
            self._away = False

    def _judge(self, text: str) -> Caller | Reason:
        hashed = digest(text)
        for caller, wanted in self._given:
            if hmac.compare_digest(hashed, wanted):
                return caller
        parts = read(text)
        key = self._keys.get(parts[0]) if parts else None
        if parts is None or key is None or not hmac.compare_digest(digest(parts[1]), key.sha256):
            return "wrong"
        return self._gone(key) or self._callers[key.key_id]

    def _gone(self, key: ApiKey) -> Literal["revoked", "expired"] | None:
        if key.revoked_at is not None:
            return "revoked"
        late = key.expires_at is not None and self._clock() >= key.expires_at.timestamp()
        return "expired" if late else None


_NONE = KeyLimits()
