"""Keys, their use and the audit log in memory: for tests and for servers that need not remember."""

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime

from june_tts.store.keys import changed, not_found
from june_tts.types import ApiKey, AuditEntry, KeyLimits, Usage


class MemoryKeyStore:
    """A KeyStore."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._revision = 0

    async def add(self, key: ApiKey) -> ApiKey:
        self._revision += 1
        self._keys[key.key_id] = dataclasses.replace(key, revision=self._revision)
        return self._keys[key.key_id]

    async def change(
        self, key_id: str, *, limits: KeyLimits | None = None, revoked_at: datetime | None = None
    ) -> ApiKey:
        if key_id not in self._keys:
            raise not_found(key_id)
        self._revision += 1
        self._keys[key_id] = changed(self._keys[key_id], self._revision, limits, revoked_at)
        return self._keys[key_id]

    async def since(self, revision: int) -> Sequence[ApiKey]:
        later = (key for key in self._keys.values() if key.revision > revision)
        return sorted(later, key=lambda key: key.revision)


class MemoryAuditStore:
    """An AuditStore."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []
        self._count = 0

    async def record(self, entry: AuditEntry) -> None:
        self._count += 1
        self._entries.append(dataclasses.replace(entry, number=self._count, subject=entry.subject[:300]))

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        found = [entry for entry in self._entries if before is None or entry.number < before]
        return found[::-1][:limit]

    async def prune(self, before: datetime) -> int:
        left = [entry for entry in self._entries if entry.at >= before]
        gone = len(self._entries) - len(left)
        self._entries = left
        return gone


class MemoryUsageStore:
    """A UsageStore."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, date], Usage] = {}

    async def add(self, used: Sequence[Usage]) -> None:
        for one in used:
            before = self._used.get((one.key_id, one.day), Usage(one.key_id, one.day))
            self._used[one.key_id, one.day] = Usage(
                one.key_id,
                one.day,
                before.requests + one.requests,
                before.characters + one.characters,
                before.audio_seconds + one.audio_seconds,
            )

    async def since(self, day: date) -> Sequence[Usage]:
        found = (one for one in self._used.values() if one.day >= day)
        return sorted(found, key=lambda one: (one.key_id, one.day))
