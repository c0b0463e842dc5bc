"""Making, changing and revoking API keys, for the admin API and the command line."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import get_args

from june_tts.errors import InvalidRequest, KeyNotFound, shown
from june_tts.ports import KeyStore
from june_tts.service import voice_rules
from june_tts.service.audit import Audit
from june_tts.service.key_text import digest, new_key, written
from june_tts.service.terms import current_terms
from june_tts.types import SCOPES, ApiKey, KeyLimits, Scope

NAME_CHARS = 100
MOST_OF_A_LIMIT = 1_000_000_000_000
LIMITS = tuple(one.name for one in fields(KeyLimits))


@dataclass(frozen=True, slots=True)
class MadeKey:
    key: ApiKey
    text: str = field(repr=False)
    """The whole key: the only time that anyone sees it."""


class KeyDesk:
    def __init__(self, store: KeyStore, audit: Audit, tell: Callable[[], Awaitable[None]]) -> None:
        """`tell`: called after each change, so that every replica looks at once."""
        self._store = store
        self._audit = audit
        self._tell = tell

    async def make(
        self, name: str, scopes: Collection[str], limits: KeyLimits, expires_at: datetime | None = None
    ) -> MadeKey:
        """A new key. Raises: InvalidRequest, StoreUnavailable."""
        ident, secret = new_key()
        key = ApiKey(
            ident,
            _checked_name(name),
            digest(secret),
            _checked_scopes(scopes),
            _checked_limits(limits),
            datetime.now(UTC),
            current_terms().caller,
            _checked_end(expires_at),
        )
        async with self._audit.change("key.add", ident):
            kept = await self._store.add(key)
        await self._tell()
        return MadeKey(kept, written(ident, secret))

    async def revoke(self, key_id: str) -> ApiKey:
        """For good. Raises: KeyNotFound, StoreUnavailable."""
        async with self._audit.change("key.revoke", key_id):
            kept = await self._store.change(key_id, revoked_at=datetime.now(UTC))
        await self._tell()
        return kept

    async def limit(self, key_id: str, given: KeyLimits) -> ApiKey:
        """Change the limits that are given; the others stay. Raises: InvalidRequest, KeyNotFound …"""
        _checked_limits(given)
        async with self._audit.change("key.limit", key_id):
            before = (await self.get(key_id)).limits
            new = {name: value for name in LIMITS if (value := getattr(given, name)) is not None}
            kept = await self._store.change(key_id, limits=replace(before, **new))
        await self._tell()
        return kept

    async def list(self) -> Sequence[ApiKey]:
        """Every key there ever was, oldest first. Raises: StoreUnavailable."""
        return sorted(await self._store.since(0), key=lambda key: (key.created_at, key.key_id))

    async def get(self, key_id: str) -> ApiKey:
        """Raises: KeyNotFound, StoreUnavailable."""
        for key in await self._store.since(0):
            if key.key_id == key_id:
                return key
        raise KeyNotFound(f"no API key has the id {shown(key_id)}", param="key_id")


def _checked_name(name: str) -> str:
    name = voice_rules.checked_name(name)
    if len(name) > NAME_CHARS:
        raise InvalidRequest(f"name has {len(name)} characters: expected {NAME_CHARS} at most", param="name")
    return name


def _checked_scopes(scopes: Collection[str]) -> frozenset[Scope]:
    known = [scope for scope in get_args(Scope) if scope in scopes]
    strange = [scope for scope in scopes if scope not in SCOPES]
    if strange or not known:
        found = shown(strange[0]) if strange else "empty"
        raise InvalidRequest(f"scopes: {found}: expected some of {', '.join(SCOPES)}", param="scopes")
    return frozenset(known)


def _checked_limits(limits: KeyLimits) -> KeyLimits:
    for name in LIMITS:
        value = getattr(limits, name)
        if value is not None and not 0 <= value <= MOST_OF_A_LIMIT:
            raise InvalidRequest(f"{name} is {value}: expected 0 (none) to {MOST_OF_A_LIMIT:,}", param=name)
    return limits


def _checked_end(expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    if expires_at.tzinfo is None or expires_at <= datetime.now(UTC):
        raise InvalidRequest(
            f"expires_at is {expires_at.isoformat()}: expected a time in the future, with its time zone",
            param="expires_at",
        )
    return expires_at.astimezone(UTC)
