"""Who may call, and how much."""

import asyncio
import ipaddress
import socket
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import structlog

from june_tts.bootstrap.beside import beside
from june_tts.cache import Shared
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.cache.shared_ledger import SharedLedger
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosted_ledger import HostedLedger
from june_tts.errors import SettingsError, StoreUnavailable, shown
from june_tts.http.access import AccessControl
from june_tts.ports import AuditStore, KeyStore, Ledger, UsageStore
from june_tts.service.audit import Audit
from june_tts.service.key_desk import KeyDesk
from june_tts.service.keys import KeyRing, SettingsKey
from june_tts.service.rates import RateMeter
from june_tts.service.usage import UsageBook
from june_tts.settings import Settings
from june_tts.store import Stores
from june_tts.store.access_memory import MemoryAuditStore, MemoryKeyStore
from june_tts.telemetry.metrics import Metrics
from june_tts.types import KeyLimits

CHANNEL = "keys"
"""Where replicas tell each other that a key has changed."""
PRUNE_SECONDS = 3600.0

log = structlog.get_logger(__name__)


async def access_of(
    settings: Settings,
    stores: Stores | None,
    shared: Shared | None,
    metrics: Metrics,
    stack: AsyncExitStack,
    link: HostLink | None = None,
) -> AccessControl:
    """Started; closed with the stack.

    Args:
        stores: None where settings alone say who may call.
        link: to the process with the engines, where this is one of several web workers.

    Raises:
        SettingsError: nobody would be asked for a key where others can connect.
        StoreUnavailable: the keys cannot be read.
    """
    keys = KeyRing(stores.keys if stores else None, _given(settings), metrics.access)
    await keys.refresh()
    _refuse_open(settings, keys)
    meter = _meter(settings, keys, stores.usage if stores else None, _ledger(shared, link), metrics)
    await meter.start()
    stack.push_async_callback(meter.close)
    audit = Audit(stores.audit if stores else MemoryAuditStore())
    beside(stack, meter.run())
    if stores:
        beside(stack, keys.watch())
        beside(stack, _keep_house(audit, settings.audit_days))
    desk = KeyDesk(stores.keys if stores else MemoryKeyStore(), audit, _teller(keys, shared, stack))
    hosts, origins = settings.allowed_hosts, settings.cors_origins
    return AccessControl(keys, meter, desk, audit, metrics.access, hosts, origins)


def reload_access(access: AccessControl, settings: Settings) -> None:
    """Take keys and limits of these settings, and have the keys of the database read anew."""
    access.keys.give(_given(settings))
    access.keys.doubt()
    access.meter.defaults = limits_of(settings)


def open_desk(keys: KeyStore, audit: AuditStore, shared: Shared | None) -> KeyDesk:
    """To change keys from the command line."""

    async def tell() -> None:
        if shared:
            await shared.publish(CHANNEL, b"")

    return KeyDesk(keys, Audit(audit), tell)


def limits_of(settings: Settings) -> KeyLimits:
    """The defaults of every key."""
    return KeyLimits(
        settings.requests_per_minute,
        settings.characters_per_minute,
        settings.audio_seconds_per_minute,
        settings.key_streams,
        settings.characters_per_day,
        settings.characters_per_month,
        settings.audio_seconds_per_day,
        settings.audio_seconds_per_month,
    )


def _given(settings: Settings) -> tuple[SettingsKey, ...]:
    secrets = {
        "settings": ("JUNE_API_KEY", settings.api_key),
        "service": ("SERVICE_AUTH_TOKEN", settings.service_auth_token),
    }
    return tuple(
        SettingsKey(ident, name, secret.get_secret_value())
        for ident, (name, secret) in secrets.items()
        if secret
    )


def _meter(
    settings: Settings, keys: KeyRing, usage: UsageStore | None, ledger: Ledger | None, metrics: Metrics
) -> RateMeter:
    return RateMeter(
        keys.limits,
        limits_of(settings),
        MemoryLedger(),
        ledger,
        metrics.access,
        owner=uuid4().hex,
        book=UsageBook(usage),
    )


def _ledger(shared: Shared | None, link: HostLink | None) -> Ledger | None:
    """Over all replicas, else over all workers of this one; None where there is but one process."""
    if shared:
        return SharedLedger(shared)
    return HostedLedger(link) if link else None


def _teller(keys: KeyRing, shared: Shared | None, stack: AsyncExitStack) -> Any:
    """Has everyone look at the keys at once, this process first."""
    looks: set[asyncio.Task[None]] = set()

    async def end() -> None:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    stack.push_async_callback(end)

    def heard(_: bytes) -> None:
        look = asyncio.create_task(keys.look())
        looks.add(look)
        look.add_done_callback(looks.discard)

    if shared:
        shared.subscribe(CHANNEL, heard)

    async def tell() -> None:
        await keys.look()
        if shared:
            await shared.publish(CHANNEL, b"")

    return tell


async def _keep_house(audit: Audit, days: int) -> None:
    while True:
        try:
            if gone := await audit.prune(days):
                log.info("audit log shortened", entries=gone, days=days)
        except StoreUnavailable as away:
            log.warning("audit log not shortened yet", reason=str(away))
        await asyncio.sleep(PRUNE_SECONDS)


def _refuse_open(settings: Settings, keys: KeyRing) -> None:
    if keys.asks or settings.allow_open or _loopback(settings.host):
        return
    raise SettingsError(
        f"WRAPPER_HOST={shown(settings.host)}: others can connect there, and no key is asked for. Make one "
        "(june-tts keys add NAME), or set JUNE_API_KEY; JUNE_ALLOW_OPEN=1 lets everybody in"
    )


def _loopback(host: str) -> bool:
    """Whether nobody but this machine can connect. A name counts by its addresses, all of them."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)
    except (OSError, ValueError):
        return False
